/** Parses `-v HOST:CONTAINER[:OPTIONS]`. Volumes with a name, or with none, do not exist yet and are refused. */
import { UsageError } from "../../errors.ts";
import { parseMountTarget } from "./container_path.ts";
import { resolveHostPath } from "./host_path.ts";
import { DEFAULT_PROPAGATION, isPropagation, type Propagation } from "./propagation.ts";
import type { MountRequest } from "./run_options.ts";

/**
 * Options that change nothing here: labels of SELinux, as with docker where SELinux is off, and hints that only
 * Docker Desktop ever used.
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["z", "Z", "consistent", "cached", "delegated"]);

/**
 * A bind mount. A host path that starts with `.` is taken from the working directory.
 * @throws {SyntaxError} for a wrong form, @throws {UsageError} for a volume that is no directory of the host.
 */
export function parseVolume(text: string): MountRequest {
  const parts = text.split(":");
  const [host = "", container, options = ""] = parts;
  if (parts.length > 3 || parts.includes("")) {
    throw new SyntaxError(`Cannot parse volume "${text}": expected HOST:CONTAINER[:OPTIONS]`);
  }
  if (container === undefined) {
    throw new UsageError(`Cannot mount volume "${host}": anonymous volumes are not supported yet`, {
      hint: `Give a directory of the host: -v /some/directory:${host}`,
    });
  }
  return {
    type: "bind",
    hostPath: hostPathOf(host),
    containerPath: parseMountTarget(container),
    ...parseModes(options),
    createHostPath: true,
  };
}

function hostPathOf(text: string): string {
  if (text.startsWith("/")) return resolveHostPath(text);
  if (text === "." || text === ".." || text.startsWith("./") || text.startsWith("../"))
    return resolveHostPath(text);
  throw new UsageError(`Cannot mount volume "${text}": named volumes are not supported yet`, {
    hint: `Give a directory of the host, as an absolute path or as ./${text}`,
  });
}

function parseModes(options: string): { readonly: boolean; propagation: Propagation } {
  const words = options === "" ? [] : options.split(",");
  const access = words.filter((word) => word === "ro" || word === "rw");
  const propagations = words.filter(isPropagation);
  for (const word of words) {
    if (word === "ro" || word === "rw" || isPropagation(word) || WITHOUT_EFFECT.has(word)) continue;
    throw new SyntaxError(
      `Cannot use volume option "${word}": expected ro, rw, or a propagation such as rslave`,
    );
  }
  if (access.length > 1 || propagations.length > 1) {
    throw new SyntaxError(`Cannot use volume options "${options}": they contradict one another`);
  }
  return { readonly: access[0] === "ro", propagation: propagations[0] ?? DEFAULT_PROPAGATION };
}
