/** Random but repeatable stacks of layers that replace, hide, and merge as much as possible: few names, many collisions. */
import { pick, type Random, seededRandom } from "./random_policy.ts";
import type { TarEntry } from "./tar_builder.ts";

const NAMES = ["a", "b", "c", "d e", "\xff\x01"];
const DEPTH_MAX = 4;
const ENTRIES_MAX = 24;

type Kind = "file" | "dir" | "symlink" | "hardlink" | "char" | "fifo" | "whiteout" | "opaque";
const KINDS: readonly Kind[] = [
  "file",
  "file",
  "file",
  "dir",
  "dir",
  "dir",
  "symlink",
  "hardlink",
  "hardlink",
  "char",
  "fifo",
  "whiteout",
  "whiteout",
  "opaque",
];

/** @returns layers, bottom first, whose entries are legal in any order of unpacking */
export function randomLayers(seed: number, count: number): TarEntry[][] {
  // Neighbouring seeds shall not begin alike.
  const random = seededRandom(Math.imul(seed, 0x9e3779b1));
  return Array.from({ length: count }, () => randomLayer(random));
}

function randomLayer(random: Random): TarEntry[] {
  const own = new Map<string, Kind>();
  const entries: TarEntry[] = [];
  for (let count = 1 + random(ENTRIES_MAX); count > 0; count -= 1) {
    const path = randomPath(random);
    const kind = pick(random, KINDS);
    if (own.has(path) || !hasFreeParents(own, path)) continue;
    const entry = randomEntry(random, path, { kind, own });
    if (entry === undefined) continue;
    own.set(path, kind);
    for (const parent of parentsOf(path)) own.set(parent, own.get(parent) ?? "dir");
    entries.push({ ...entry, name: Buffer.from(entry.name as string, "latin1") });
  }
  return entries;
}

function randomEntry(
  random: Random,
  name: string,
  { kind, own }: { kind: Kind; own: ReadonlyMap<string, Kind> },
): TarEntry | undefined {
  const attributes = {
    mode: pick(random, [0o644, 0o755, 0o700, 0o4755, 0o1777]),
    uid: random(3) * 1000,
    gid: random(3),
    mtime: `${1_600_000_000 + random(1000)}.${String(random(10)).repeat(9)}`,
    ...(random(4) === 0 && { xattrs: { "security.note": `value ${random(100)}\0` } }),
  };
  const slash = name.lastIndexOf("/") + 1;
  switch (kind) {
    case "file":
      return { ...attributes, name, data: "x".repeat(random(5000)) };
    case "dir":
      return { ...attributes, name: `${name}/` };
    case "symlink":
      return { name, type: "symlink", link: `to ${random(100)}`, uid: random(3) };
    case "char":
      return { ...attributes, name, type: "char", major: 1 + random(9), minor: random(9) };
    case "fifo":
      return { ...attributes, name, type: "fifo" };
    case "whiteout":
      return { name: `${name.slice(0, slash)}.wh.${name.slice(slash)}`, data: "" };
    case "opaque":
      return { name: `${name.slice(0, slash)}.wh..wh..opq`, data: "" };
    case "hardlink": {
      const files = [...own].filter(([, each]) => each === "file").map(([path]) => path);
      const link = files[random(files.length)];
      return link === undefined
        ? undefined
        : { ...attributes, name, type: "hardlink", link: Buffer.from(link, "latin1") };
    }
  }
}

function randomPath(random: Random): string {
  return Array.from({ length: 1 + random(DEPTH_MAX) }, () => pick(random, NAMES)).join("/");
}

function parentsOf(path: string): string[] {
  const names = path.split("/");
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join("/"));
}

function hasFreeParents(own: ReadonlyMap<string, Kind>, path: string): boolean {
  return parentsOf(path).every((parent) => (own.get(parent) ?? "dir") === "dir");
}
