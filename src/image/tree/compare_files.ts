/**
 * Compares what two layers hold, of whatever form each is. Times of directories are left out: those of a directory that no
 * entry of the archive describes are the times of its unpacking.
 */
import { type ByteString, quoteBytes } from "../../fs/byte_string.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";

const CHUNK_SIZE = 1 << 17;

/** One thing that is not as expected, e.g. `"etc/passwd" has other content`. */
export function* differencesOf(expected: LayerFiles, found: LayerFiles): Generator<string> {
  const links = new Map<string, string>();
  const pending: Pair[] = [{ path: "", expected: expected.root, found: found.root }];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const state = stateOf(pair, { expected, found }) ?? linkState(pair, links);
    if (state !== undefined) yield `${quoteBytes(pair.path === "" ? "/" : pair.path)} ${state}`;
    if (pair.expected.kind !== "directory" || pair.found.kind !== "directory") continue;
    for (const child of childrenOf(pair, { expected, found })) {
      if (typeof child === "string") yield child;
      else pending.push(child);
    }
  }
}

interface Pair {
  readonly path: ByteString;
  readonly expected: LayerNode;
  readonly found: LayerNode;
}

interface Sides {
  readonly expected: LayerFiles;
  readonly found: LayerFiles;
}

function* childrenOf({ path, expected, found }: Pair, sides: Sides): Generator<Pair | string> {
  const names = new Set([...sides.expected.list(expected), ...sides.found.list(found)]);
  for (const name of names) {
    const inner = path === "" ? name : `${path}/${name}`;
    const wanted = sides.expected.lookup(expected, name);
    const present = sides.found.lookup(found, name);
    if (wanted !== undefined && present !== undefined)
      yield { path: inner, expected: wanted, found: present };
    else yield `${quoteBytes(inner)} ${wanted === undefined ? "does not belong there" : "is missing"}`;
  }
}

/** @returns undefined when both are the same */
function stateOf({ expected, found }: Pair, sides: Sides): string | undefined {
  if (expected.kind !== found.kind) return `is a ${found.kind} instead of a ${expected.kind}`;
  if (expected.kind === "whiteout") return undefined;
  if (expected.kind !== "symlink" && expected.mode !== found.mode) return "has another mode";
  if (expected.uid !== found.uid || expected.gid !== found.gid) return "has another owner";
  if (!sameXattrs(sides.expected.xattrs(expected), sides.found.xattrs(found))) return "has other attributes";
  if (expected.kind === "directory")
    return sides.expected.isOpaque(expected) === sides.found.isOpaque(found)
      ? undefined
      : "hides other things below it";
  if (!sameContent({ expected, found }, sides)) return "has other content";
  const [one, other] = [expected.mtime, found.mtime];
  return one.seconds === other.seconds && one.nanoseconds === other.nanoseconds
    ? undefined
    : "has another time";
}

/** Names of one file have to be names of one file on both sides. */
function linkState({ expected, found }: Pair, links: Map<string, string>): string | undefined {
  const [one, other] = [expected.linkKey ?? "", found.linkKey ?? ""];
  if (one === "" && other === "") return undefined;
  const known = links.get(`expected ${one}`) ?? other;
  const back = links.get(`found ${other}`) ?? one;
  links.set(`expected ${one}`, other);
  links.set(`found ${other}`, one);
  return one !== "" && other !== "" && known === other && back === one ? undefined : "has other hard links";
}

function sameContent({ expected, found }: Omit<Pair, "path">, sides: Sides): boolean {
  if (expected.kind === "symlink") return sides.expected.readLink(expected) === sides.found.readLink(found);
  if (expected.kind !== "file")
    return expected.rdev.major === found.rdev.major && expected.rdev.minor === found.rdev.minor;
  if (expected.size !== found.size) return false;
  if (expected.size === 0) return true;
  using one = sides.expected.open(expected);
  using other = sides.found.open(found);
  for (let position = 0; ; ) {
    const length = one.read(chunks[0], position);
    if (other.read(chunks[1], position) !== length) return false;
    if (length === 0) return true;
    if (Buffer.compare(chunks[0].subarray(0, length), chunks[1].subarray(0, length)) !== 0) return false;
    position += length;
  }
}

/** Reused by every comparison. */
const chunks = [
  new Uint8Array(new ArrayBuffer(CHUNK_SIZE)),
  new Uint8Array(new ArrayBuffer(CHUNK_SIZE)),
] as const;

function sameXattrs(
  one: ReadonlyMap<ByteString, Uint8Array>,
  other: ReadonlyMap<ByteString, Uint8Array>,
): boolean {
  if (one.size !== other.size) return false;
  return [...one].every(([name, value]) => {
    const present = other.get(name);
    return present !== undefined && Buffer.compare(value, present) === 0;
  });
}
