import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { ErofsFiles } from "../../../src/image/erofs/erofs_files.ts";
import { snapshotFiles } from "../../helpers/files_snapshot.ts";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { titleOf } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { type NodeSnapshot, snapshotTree, type TreeSnapshot } from "../../helpers/tree_snapshot.ts";

const missing = layerForms.find(([form]) => form === "erofs")?.[1];
const title = (text: string): string => titleOf(text, missing);
const erofsTest = test.skipIf(missing !== undefined);

/** A v2 capability set: cap_net_bind_service, effective. */
const NET_BIND = Buffer.from("0100000200040000000000000000000000000000", "hex");
/** user::rwx user:7:r-- group::r-x mask::r-x other::r-x */
const ACL = Buffer.from(
  "0200000001000700ffffffff020004000700000004000500ffffffff10000500ffffffff20000500ffffffff",
  "hex",
);

/** Sizes around those at which data moves from behind the inode into blocks. */
const sizes = [0, 1, 4000, 4031, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 8193, 12_288, 100_000, 300_001];

const everything: readonly TarEntry[] = [
  { name: "./", mode: 0o711, uid: 4, gid: 5, mtime: "1600000000.5", xattrs: { "user.root": "r" } },
  ...sizes.map((size): TarEntry => ({ name: `size-${size}`, data: "s".repeat(size), mode: 0o640 })),
  ...sizes.map((size): TarEntry => {
    return { name: `xattr-${size}`, data: "x".repeat(size), xattrs: { "user.note": "n".repeat(1000) } };
  }),
  { name: "bin/", mode: 0o1777 },
  { name: "bin/su", data: "su", mode: 0o4755, mtime: "1600000002.123456789" },
  { name: "bin/wall", data: "wall", mode: 0o2755, gid: 5, mtime: "-1.5" },
  { name: "bin/hard", type: "hardlink", link: "bin/su" },
  {
    name: "bin/ping",
    data: "p",
    uid: 3,
    xattrs: { "security.capability": NET_BIND, "user.a": "line\nbreak\0nul" },
  },
  { name: "bin/acl", data: "a", mode: 0o755, xattrs: { "system.posix_acl_access": ACL } },
  { name: "bin/.wh.gone" },
  { name: "closed/", mode: 0, uid: 2_000_000_000, gid: 4_000_000_000, mtime: 12 },
  { name: "closed/.wh..wh..opq" },
  { name: "closed/file", data: "inside", mode: 0 },
  { name: "dev/null", type: "char", major: 1, minor: 3, mode: 0o666 },
  { name: "dev/large", type: "block", major: 4095, minor: 1_048_575, mode: 0o660, gid: 6 },
  { name: "dev/pipe", type: "fifo", mode: 0o600, uid: 12 },
  { name: "link", type: "symlink", link: "/usr/../bin/sh", uid: 7, gid: 8, mtime: 1_500_000_000 },
  { name: "links/long", type: "symlink", link: "l".repeat(4095) },
  { name: "links/block", type: "symlink", link: "b".repeat(4033) },
  { name: "links/inline", type: "symlink", link: "i".repeat(4032) },
  { name: Buffer.from("names/\xff\xfe binary", "latin1"), data: "bytes" },
  { name: "names/-before the dot", data: "-" },
  { name: "names/new\nline", data: "nl" },
  { name: `names/${"n".repeat(255)}`, data: "long name" },
  {
    name: "sparse",
    sparse: {
      form: "pax-1.0",
      realSize: 20_000_000,
      segments: [
        { offset: 4096, data: "island" },
        { offset: 10_000_001, data: "odd" },
      ],
    },
  },
];

describe("a layer as an EROFS image", () => {
  erofsTest(title("holds what the directory holds, by the kernel and by its reader"), () => {
    using sandbox = new LayerSandbox();
    const directory = sandbox.unpack(everything);
    const image = sandbox.write(everything, { form: "erofs" }, 1777);

    const mounted = snapshotTree(sandbox.show(image.path), withoutOwnTimes);
    using files = new ErofsFiles(image.path);

    expect(mounted).toEqual(snapshotTree(directory.path, withoutOwnTimes));
    expect(image.result).toEqual(directory.result);
    expect(readable(snapshotFiles(files))).toEqual(readable(mounted));
  });

  erofsTest(title("has room for a file of more than 4 GiB, and takes none for its holes"), () => {
    using sandbox = new LayerSandbox("erofs");
    const realSize = 6 * 2 ** 30;
    const segments = [{ offset: realSize - 100_000, data: "far" }];

    const { path } = sandbox.write([{ name: "s", sparse: { form: "pax-1.0", realSize, segments } }]);

    const mounted = sandbox.show(path);
    expect(statSync(`${mounted}/s`).size).toBe(realSize);
    expect(snapshotPart(`${mounted}/s`, realSize - 100_001, 5)).toBe("\0far\0");
    expect(statSync(path).blocks * 512).toBeLessThan(1_000_000);
  });

  erofsTest(title("keeps more attributes than a disk has room for"), () => {
    using sandbox = new LayerSandbox("erofs");
    const value = "v".repeat(60_000);
    const names = [0, 1, 2, 3].map((index) => `user.${index}`);
    const xattrs = Object.fromEntries(names.map((name) => [name, value]));

    const { path } = sandbox.write([
      { name: "file", data: "x".repeat(5000), xattrs },
      { name: "directory/", xattrs },
      { name: "directory/after", data: "y" },
    ]);

    const mounted = snapshotTree(sandbox.show(path));
    using files = new ErofsFiles(path);
    expect(readable(snapshotFiles(files))).toEqual(readable(mounted));
    for (const name of ["file", "directory"])
      expect(mounted[name]?.xattrs).toEqual(names.map((each) => `${each}=${"76".repeat(value.length)}`));
  });

  erofsTest(title("is the same file for the same archive"), () => {
    using sandbox = new LayerSandbox("erofs");

    const [one, other] = [1000, 77_777].map((piece) => sandbox.write(everything, {}, piece).path);

    expect(readFileSync(one ?? "").equals(readFileSync(other ?? ""))).toBeTrue();
  });
});

/** Whiteouts have no time of their own. */
function withoutOwnTimes(_: string, { type, content }: NodeSnapshot): Partial<NodeSnapshot> {
  return type === "char" && content === "0" ? { mtime: "" } : {};
}

/** What LayerFiles tells: whiteouts by name, no attributes of overlayfs. */
function readable(tree: TreeSnapshot): TreeSnapshot {
  return Object.fromEntries(
    Object.entries(tree).map(([path, node]) => {
      const isWhiteout = node.type === "whiteout" || (node.type === "char" && node.content === "0");
      const xattrs = node.xattrs.filter((xattr) => !xattr.startsWith("trusted.overlay."));
      return [path, { ...node, xattrs, ...(isWhiteout ? { type: "whiteout", content: "", mtime: "" } : {}) }];
    }),
  );
}

function snapshotPart(path: string, position: number, length: number): string {
  const fd = openSync(path, "r");
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  closeSync(fd);
  return bytes.toString("latin1");
}
