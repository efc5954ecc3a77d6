/** Random files, directories, links and devices with attributes of every kind, as entries without a name. */
import { pick, type Random } from "../helpers/random_policy.ts";
import type { TarEntry, TarEntryType } from "../helpers/tar_builder.ts";

export type NodeKind = Exclude<TarEntryType, "hardlink" | "contiguous">;

const FILE_MODES = [0o644, 0o644, 0o755, 0o600, 0o000, 0o4755, 0o2755, 0o6711, 0o1644, 0o777, 0o111];
const DIRECTORY_MODES = [0o755, 0o755, 0o700, 0o1777, 0o2775, 0o000, 0o3777, 0o555, 0o4755];
const IDS = [0, 0, 0, 0, 1, 1000, 65_534, 100_000, 2_097_152, 4_294_967_294];
/** Seconds; text keeps nanoseconds. Before 1970, and after 2038, as well. */
const TIMES = [
  1_700_000_000,
  1_234_567_890,
  0,
  1,
  "1600000002.123456789",
  "1600000002.000000001",
  "1600000002.5",
  -1,
  "-1.25",
  4_102_444_800,
];
const TARGETS = [
  "a",
  "b/c",
  "/a",
  "/b",
  "/lib",
  "/a/b",
  "../a",
  "../../..",
  "/nowhere/at all",
  ".",
  "\xff",
  "t".repeat(300),
];
const SIZES = [0, 1, 511, 512, 513, 4096, 20_000];
const CONTENT_KINDS = 250;

/** One node with random attributes. */
export function randomNode(
  random: Random,
  kind: NodeKind,
  { accessLists = false }: { readonly accessLists?: boolean } = {},
): TarEntry {
  const owner = { uid: pick(random, IDS), gid: pick(random, IDS) };
  const node = { name: "", type: kind, mtime: pick(random, TIMES), ...owner } satisfies TarEntry;
  switch (kind) {
    case "file":
      return {
        ...node,
        mode: pick(random, FILE_MODES),
        ...content(random),
        ...xattrs(random, kind, accessLists),
      };
    case "dir":
      return { ...node, mode: pick(random, DIRECTORY_MODES), ...xattrs(random, kind, accessLists) };
    case "symlink":
      return { ...node, link: pick(random, TARGETS) };
    case "char":
    case "block":
      // Not 0:0: as a character device that is overlayfs' own whiteout.
      return { ...node, mode: pick(random, FILE_MODES), major: 1 + random(4095), minor: random(0xfffff) };
    case "fifo":
      return { ...node, mode: pick(random, FILE_MODES) };
  }
}

function content(random: Random): Pick<TarEntry, "data" | "sparse"> {
  if (random(8) > 0) return { data: text(random, pick(random, SIZES)) };
  const form = pick(random, ["pax-0.0", "pax-0.1", "pax-1.0"] as const);
  const segments = Array.from({ length: random(6) }, (_, at) => ({
    offset: at * 8192 + random(4096),
    data: text(random, 1 + random(2000)),
  }));
  return { sparse: { form, realSize: 65_536 + random(1000), segments } };
}

function text(random: Random, size: number): Uint8Array {
  return new Uint8Array(size).fill(1 + random(CONTENT_KINDS));
}

function xattrs(random: Random, kind: "file" | "dir", accessLists: boolean): Pick<TarEntry, "xattrs"> {
  if (random(6) > 0) return {};
  const choices = [
    ...XATTRS,
    ...(kind === "file" ? [CAPABILITY] : []),
    ...(accessLists ? accessListsOf(kind) : []),
  ];
  return { xattrs: Object.fromEntries(Array.from({ length: 1 + random(2) }, () => pick(random, choices))) };
}

type Xattr = readonly [name: string, value: string | Uint8Array];

const XATTRS: readonly Xattr[] = [
  ["user.note", "two\nlines"],
  ["user.nul", new Uint8Array([0, 1, 0, 255, 10])],
  ["user.empty", ""],
  ["user.ü", "ü"],
  ["user.long", "l".repeat(1000)],
  ["user.like path=x", "12 path=elsewhere\n"],
];
/** `cap_net_bind_service`, effective, version 2. */
const CAPABILITY: Xattr = [
  "security.capability",
  Buffer.from("0100000200040000000000000000000000000000", "hex"),
];
/** acl(5), version 2: all for the owner, read and write for the user 1000, nothing for others. */
export const ACCESS_LIST = Buffer.from(
  "0200000001000700ffffffff02000600e803000004000500ffffffff10000700ffffffff20000000ffffffff",
  "hex",
);

function accessListsOf(kind: "file" | "dir"): readonly Xattr[] {
  const lists: readonly Xattr[] = [["system.posix_acl_access", ACCESS_LIST]];
  return kind === "dir" ? [...lists, ["system.posix_acl_default", ACCESS_LIST]] : lists;
}
