/** What a directory tree holds, as a value that can be compared: everything that an image layer can carry. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { cBytes } from "../../src/fs/byte_string.ts";
import { getxattr, listxattr } from "../../src/linux/xattr.ts";

export interface NodeSnapshot {
  readonly type: string;
  /** Octal permission bits; "" for symlinks, which have none of their own. */
  readonly mode: string;
  readonly owner: string;
  /** Nanoseconds since 1970. */
  readonly mtime: string;
  /** Digest of a file's content, target of a symlink, numbers of a device. */
  readonly content: string;
  /** `name=hex` */
  readonly xattrs: readonly string[];
  /** Other names of the same file, sorted. */
  readonly links: readonly string[];
}

export type TreeSnapshot = Readonly<Record<string, NodeSnapshot>>;

/** By the type bits of st_mode. */
const TYPES = new Map([
  [0o010000, "fifo"],
  [0o020000, "char"],
  [0o040000, "directory"],
  [0o060000, "block"],
  [0o100000, "file"],
  [0o120000, "symlink"],
]);

/** Takes a tree, "." for itself; names as latin1. `leaveOut` drops nodes, or fields of them; `isPassedOver` is not even looked at. */
export function snapshotTree(
  root: string,
  leaveOut: (path: string, node: NodeSnapshot) => Partial<NodeSnapshot> | undefined = () => ({}),
  isPassedOver: (path: string) => boolean = () => false,
): TreeSnapshot {
  const names = new Map<string, string[]>();
  const nodes: Record<string, NodeSnapshot> = {};
  for (const path of walk(root, isPassedOver)) {
    const { node, identity } = snapshotNode(root, path);
    names.set(identity, [...(names.get(identity) ?? []), path]);
    nodes[path] = { ...node, links: [identity] };
  }
  const result: Record<string, NodeSnapshot> = {};
  for (const [path, node] of Object.entries(nodes).sort(([one], [other]) => (one < other ? -1 : 1))) {
    const others = node.type === "directory" ? [] : (names.get(node.links[0] ?? "") ?? []);
    const whole = { ...node, links: others.filter((name) => name !== path).sort() };
    const left = leaveOut(path, whole);
    if (left !== undefined) result[path] = { ...whole, ...left };
  }
  return result;
}

/** Paths and types only: for small trees. */
export function listTree(root: string): string[] {
  return Object.entries(snapshotTree(root))
    .filter(([path]) => path !== ".")
    .map(([path, { type }]) => (type === "directory" ? `${path}/` : path));
}

function* walk(root: string, isPassedOver: (path: string) => boolean): Generator<string> {
  const pending = ["."];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (isPassedOver(path)) continue;
    const absolute = nativePath(root, path);
    // Overlayfs lists whiteouts in directories that only one layer has; to everything else they are not there.
    const stat = lstatSync(absolute, { throwIfNoEntry: path === "." });
    if (stat === undefined) continue;
    yield path;
    if (!stat.isDirectory()) continue;
    for (const name of readdirSync(absolute, { encoding: "buffer" })) {
      pending.push(path === "." ? name.toString("latin1") : `${path}/${name.toString("latin1")}`);
    }
  }
}

function snapshotNode(root: string, path: string): { node: NodeSnapshot; identity: string } {
  const absolute = nativePath(root, path);
  const stat = lstatSync(absolute, { bigint: true });
  const type = TYPES.get(Number(stat.mode) & 0o170000) ?? "unknown";
  const raw = Buffer.concat([absolute, Buffer.alloc(1)]);
  const xattrs = listxattr(raw).map((name) => `${name}=${getxattr(raw, cBytes(name))?.toString("hex")}`);
  return {
    identity: `${stat.dev}:${stat.ino}`,
    node: {
      type,
      mode: type === "symlink" ? "" : (Number(stat.mode) & 0o7777).toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: String(stat.mtimeNs),
      content: contentOf(absolute, type, Number(stat.rdev)),
      xattrs: xattrs.sort(),
      links: [],
    },
  };
}

function contentOf(path: Buffer, type: string, rdev: number): string {
  if (type === "file") return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
  if (type === "symlink") return readlinkSync(path, { encoding: "buffer" }).toString("latin1");
  return type === "char" || type === "block" ? String(rdev) : "";
}

const nativePath = (root: string, path: string): Buffer =>
  Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, "latin1")]);
