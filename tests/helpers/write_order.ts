/**
 * The order of writes, flushes and renames of a command, by its trace: what a disk may keep when it keeps nothing that was not
 * flushed. A name that makes something count comes after what it names, a record after the names that it relies on, and in
 * the end every name of the store is flushed. A flush of a directory covers the way to it, as on ext4, xfs and btrfs.
 *
 *     write, write ──▶ syncfs ──▶ rename, rename ──▶ syncfs ──▶ rename of the record ──▶ fsync of its directory
 */

/** Options of strace(1) for such a trace. */
export const WRITE_ORDER_OPTIONS = [
  ...["-f", "-y", "-qq", "-s", "4096", "-e"],
  "trace=open,openat,creat,mkdir,mkdirat,mknodat,symlink,symlinkat,link,linkat,rename,renameat,renameat2,write,pwrite64," +
    "writev,ftruncate,fsetxattr,fchown,fchmod,copy_file_range,fsync,fdatasync,syncfs",
];

const CALL = /^\d+ +(\w+)\((.*)\) += (\d+)(?:<([^>]*)>)?/;
const TOKEN = /(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"/g;
/** What records rely on, below the root. */
const CONTENT = /^(?:blobs|l|layers)\//;
const NAMES = /^(?:blobs|l|layers|refs)\//;
/** Work in progress, and what may be made again. */
const PASSING = /^(?:tmp|locks|cache)(?:\/|$)|(?:^|\/)\.tmp-[^/]*$/;

/** @param trace written with {@link WRITE_ORDER_OPTIONS} @returns what is wrong, as sentences */
export function orderFaults(trace: string, root: string): readonly string[] {
  const order = new Order(root);
  for (const line of wholeLines(trace)) {
    const [, name, words, , opened] = CALL.exec(line) ?? [];
    if (name !== undefined && words !== undefined) order.take(name, words, opened);
  }
  return order.end();
}

/** Calls that another thread's line has cut in two are put together where they end. */
function wholeLines(trace: string): string[] {
  const begun = new Map<string, string>();
  return trace.split("\n").flatMap((line) => {
    const thread = line.slice(0, line.indexOf(" "));
    if (line.endsWith("<unfinished ...>")) {
      begun.set(thread, line.slice(0, -"<unfinished ...>".length));
      return [];
    }
    const rest = /<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
    return [rest === undefined ? line : (begun.get(thread) ?? "") + rest];
  });
}

class Order {
  readonly #root: string;
  /** Files and directories of which something is not flushed, and names that are not. */
  #content = new Set<string>();
  #names = new Set<string>();
  readonly #faults: string[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  take(name: string, words: string, opened: string | undefined): void {
    const [first, second] = pathsOf(words);
    if (name === "syncfs") this.#flushAll();
    else if (name === "fsync" || name === "fdatasync") this.#flush(first);
    else if (name.startsWith("rename")) this.#rename(first, second);
    else if (name.startsWith("link") || name.startsWith("symlink")) this.#make(second ?? first);
    else if (name.startsWith("mk")) this.#make(first);
    else if (name.startsWith("open") || name === "creat") {
      if (/O_CREAT/.test(words)) this.#make(opened);
    } else this.#touch(descriptorsOf(words)[name === "copy_file_range" ? 1 : 0]);
  }

  /** @returns all that is wrong */
  end(): readonly string[] {
    const open = [...this.#names].filter((path) => NAMES.test(path)).map((path) => `${path} may be lost`);
    return [...this.#faults, ...open];
  }

  #touch(path: string | undefined): void {
    const below = this.#below(path);
    if (below !== undefined) this.#content.add(below);
  }

  #make(path: string | undefined): void {
    const below = this.#below(path);
    if (below === undefined) return;
    this.#content.add(below);
    this.#names.add(below);
  }

  #flushAll(): void {
    this.#content.clear();
    this.#names.clear();
  }

  #flush(path: string | undefined): void {
    const below = this.#below(path);
    if (below === undefined) return;
    this.#content.delete(below);
    for (const each of this.#names) {
      const isIn = each.slice(0, Math.max(0, each.lastIndexOf("/"))) === below;
      if (isIn || `${below}/`.startsWith(`${each}/`)) this.#names.delete(each);
    }
  }

  #rename(from: string | undefined, to: string | undefined): void {
    const [one, other] = [this.#below(from), this.#below(to)];
    if (one === undefined || other === undefined) return;
    const isPart = (path: string): boolean => path === one || path.startsWith(`${one}/`);
    if (!PASSING.test(other)) {
      const early = [...this.#content, ...[...this.#names].filter((path) => path !== one)].filter(isPart);
      this.#faults.push(...early.map((path) => `${other} is named before ${path} is flushed`));
    }
    if (other.startsWith("refs/") && !PASSING.test(other)) {
      const open = [...this.#names].filter((path) => CONTENT.test(path));
      this.#faults.push(...open.map((path) => `${other} is named before the name of ${path} is flushed`));
    }
    const moved = (path: string): string => (isPart(path) ? other + path.slice(one.length) : path);
    this.#content = new Set([...this.#content].map(moved));
    this.#names = new Set([...this.#names].map(moved)).add(other);
  }

  /** A path relative to the root; undefined elsewhere. */
  #below(path: string | undefined): string | undefined {
    if (path === this.#root) return "";
    return path?.startsWith(`${this.#root}/`) === true ? path.slice(this.#root.length + 1) : undefined;
  }
}

/** Files of a call that names none by its path; its other words may hold anything. */
const descriptorsOf = (words: string): readonly (string | undefined)[] =>
  [...words.matchAll(/(?:^|, )\d+<([^>]*)>/g)].map(([, path]) => path);

/** The paths of a call in their order: a name follows the directory that it is relative to. */
function pathsOf(words: string): string[] {
  const paths: string[] = [];
  let directory: string | undefined;
  for (const [, descriptor, name] of words.matchAll(TOKEN)) {
    if (descriptor !== undefined) {
      if (directory !== undefined) paths.push(directory);
      directory = descriptor;
    } else if (name !== undefined) {
      paths.push(name.startsWith("/") || directory === undefined ? name : `${directory}/${name}`);
      directory = undefined;
    }
  }
  return directory === undefined ? paths : [...paths, directory];
}
