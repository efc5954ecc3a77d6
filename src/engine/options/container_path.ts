/** Parses absolute paths inside the container, purely as text: the image is not looked at. */

/** Longest path in bytes that the kernel takes (PATH_MAX, with its closing NUL). */
const PATH_BYTES_MAX = 4095;

/**
 * An absolute path without `.`, `..`, double or closing slashes.
 * @throws {SyntaxError} when `text` is not absolute, or longer than the kernel takes.
 */
export function parseContainerPath(text: string): string {
  if (!text.startsWith("/")) {
    throw new SyntaxError(`Cannot use "${text}" as a path in the container: it is not absolute`);
  }
  if (text.includes("\0")) throw new SyntaxError("Cannot use a path in the container: it holds a NUL");
  if (Buffer.byteLength(text) > PATH_BYTES_MAX) {
    throw new SyntaxError(`Cannot use a path in the container: it is longer than ${PATH_BYTES_MAX} bytes`);
  }
  return normalisePath(text);
}

/** An absolute path as text without `.`, `..`, double or closing slashes; nothing leads above the root. */
export function normalisePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** What lxcfs(8) replaces to show a container its own limits. */
const REPLACEABLE_IN_PROC = /^\/proc\/(cpuinfo|diskstats|loadavg|meminfo|slabinfo|stat|swaps|uptime)$/;

/**
 * Like {@link parseContainerPath}, for something to be mounted there.
 * @throws {SyntaxError} for the root directory too, over which nothing can be mounted, and for /proc and what is in
 * it: who is confined and how is read and written there (CVE-2019-19921).
 */
export function parseMountTarget(text: string): string {
  const path = parseContainerPath(text);
  if (path === "/") throw new SyntaxError(`Cannot mount on "${text}": it is the container's root`);
  if (/^\/proc(\/|$)/.test(path) && !REPLACEABLE_IN_PROC.test(path)) {
    throw new SyntaxError(`Cannot mount on "${text}": it is in the container's /proc`);
  }
  return path;
}

/**
 * The value of `--workdir`.
 * @throws {SyntaxError} when it is not absolute, as docker has it.
 */
export function parseWorkdir(text: string): string {
  return parseContainerPath(text);
}
