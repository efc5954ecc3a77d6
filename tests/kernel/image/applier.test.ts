import { describe, expect, test } from "bun:test";
import { readFileSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { trySetxattr } from "../../../src/linux/xattr.ts";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { titleOf } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { listTree, snapshotTree } from "../../helpers/tree_snapshot.ts";

const WHITEOUT = "char";
/** EXT4_SUPER_MAGIC of statfs(2). */
const EXT4 = 0xef53;
/** acl(5), version 2: all for the owner, read and write for the user 1000, nothing for others. */
const ACCESS_LIST = Buffer.from(
  "0200000001000700ffffffff02000600e803000004000500ffffffff10000700ffffffff20000000ffffffff",
  "hex",
);

/** A list of `[tag, permissions, id]`; acl(5), version 2. */
function listOf(...entries: ReadonlyArray<readonly [tag: number, permissions: number, id?: number]>): Buffer {
  const list = Buffer.alloc(4 + 8 * entries.length);
  list.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id = 0xffff_ffff]] of entries.entries()) {
    list.writeUInt16LE(tag, 4 + index * 8);
    list.writeUInt16LE(permissions, 6 + index * 8);
    list.writeUInt32LE(id, 8 + index * 8);
  }
  return list;
}

const LIST = "system.posix_acl_access";
const CAPABILITY = "security.capability";
const [OWNER, USER, GROUP, MASK, OTHER] = [1, 2, 4, 0x10, 0x20] as const;
const whole = listOf([OWNER, 7], [USER, 7, 5], [GROUP, 5], [MASK, 6], [OTHER, 4]);
/** What is set on a file of mode 600, and what there is then; "" for nothing. */
const attributes: ReadonlyArray<readonly [what: string, name: string, value: Buffer, kept: string]> = [
  ["a name with a dot at its end", "user.a.", Buffer.from("x"), "600 user.a.=78"],
  ["a prefix without a name", "user.", Buffer.from("x"), ""],
  ["nothing for a name", "", Buffer.from("x"), ""],
  ["an access list", LIST, whole, `764 ${LIST}=${whole.toString("hex")}`],
  [
    "no ids of those whom an access list does not name",
    LIST,
    listOf([OWNER, 7, 1], [USER, 7, 5], [GROUP, 5, 2], [MASK, 6, 3], [OTHER, 4, 4]),
    `764 ${LIST}=${whole.toString("hex")}`,
  ],
  ["the mode alone of a list that says no more", LIST, listOf([OWNER, 7], [GROUP, 5], [OTHER, 4]), "754 "],
  ["an access list in another order", LIST, listOf([GROUP, 7], [OWNER, 5], [OTHER, 4]), ""],
  ["an access list without a mask", LIST, listOf([OWNER, 7], [USER, 7, 5], [GROUP, 5], [OTHER, 4]), ""],
  ["an access list of other permissions", LIST, listOf([OWNER, 15], [GROUP, 5], [OTHER, 4]), ""],
  ["an access list of other tags", LIST, listOf([OWNER, 7], [3, 7], [GROUP, 5], [OTHER, 4]), ""],
  [
    "an access list that names nobody",
    LIST,
    listOf([OWNER, 7], [USER, 7], [GROUP, 5], [MASK, 7], [OTHER, 4]),
    "",
  ],
  ["an access list of no entries", LIST, listOf(), ""],
  ["a capability set of other bits", CAPABILITY, Buffer.from(`02000002${"00".repeat(16)}`, "hex"), ""],
  ["a capability set of no root", CAPABILITY, Buffer.from(`01000003${"00".repeat(16)}ffffffff`, "hex"), ""],
];

describe.each([...layerForms])("layers of form %s", (form, missing) => {
  const title = (text: string): string => titleOf(text, missing);
  const rootTest = test.skipIf(missing !== undefined);

  describe("LayerApplier", () => {
    rootTest(title("gives the last entry of a name the name, whatever the types"), () => {
      using sandbox = new LayerSandbox(form);

      const { path } = sandbox.unpack([
        { name: "a/" },
        { name: "a/full", data: "x" },
        { name: "a", data: "file over a directory with content" },
        { name: "b", data: "x" },
        { name: "b/", mode: 0o700 },
        { name: "c", type: "symlink", link: "b" },
        { name: "c", type: "fifo" },
        { name: "d/", mode: 0o700, xattrs: { "user.first": "1" } },
        { name: "d/kept", data: "x" },
        { name: "d/", mode: 0o711, uid: 5 },
        { name: "e/", uid: 5 },
        { name: "e/" },
      ]);

      expect(listTree(path)).toEqual(["a", "b/", "c", "d/", "d/kept", "e/"]);
      expect(snapshotTree(path)["e"]).toMatchObject({ owner: "0:0" });
      expect(snapshotTree(path)["d"]).toMatchObject({ mode: "711", owner: "5:0", xattrs: [] });
    });

    rootTest(
      title("gives owners as the archive says them below directories that hand their group on"),
      () => {
        using sandbox = new LayerSandbox(form);

        const { path } = sandbox.unpack([
          { name: "./", mode: 0o2755, gid: 5 },
          { name: "file" },
          { name: "directory/" },
          { name: "implied/file" },
        ]);

        const tree = snapshotTree(path);
        for (const name of ["file", "directory", "implied", "implied/file"]) {
          expect([name, tree[name]?.owner]).toEqual([name, "0:0"]);
        }
        expect([tree["directory"]?.mode, tree["implied"]?.mode]).toEqual(["755", "755"]);
      },
    );

    rootTest(
      title("gives modes as the archive says them below directories that hand access lists on"),
      () => {
        using sandbox = new LayerSandbox(form);
        const lists = [
          [{ name: "d/", xattrs: { "system.posix_acl_default": ACCESS_LIST } }, { name: "d/file" }],
          [{ name: "d/sub/" }, { name: "d/implied/pipe", type: "fifo" }],
        ].flat() satisfies TarEntry[];

        const { path } = sandbox.unpack(lists);
        flattenLayers([path], `${sandbox.path}/copy`, { whiteouts: "trusted" });

        for (const tree of [snapshotTree(path), snapshotTree(`${sandbox.path}/copy`)]) {
          const own = ["d/file", "d/sub", "d/implied", "d/implied/pipe"].map((name) => tree[name]);
          expect(own.map((node) => node?.mode)).toEqual(["644", "755", "755", "644"]);
          expect(own.flatMap((node) => node?.xattrs)).toEqual([]);
          expect(tree["d"]?.xattrs).toEqual([`system.posix_acl_default=${ACCESS_LIST.toString("hex")}`]);
        }
      },
    );

    rootTest(title("makes the mode of a file that of its access list"), () => {
      using sandbox = new LayerSandbox(form);
      const xattrs = { "system.posix_acl_access": ACCESS_LIST };

      const { path } = sandbox.unpack([
        { name: "file", mode: 0o4644, xattrs },
        { name: "d/", mode: 0o1700, xattrs },
        { name: "pipe", type: "fifo", xattrs },
      ]);

      const tree = snapshotTree(path);
      expect(["file", "d", "pipe"].map((name) => tree[name]?.mode)).toEqual(["4770", "1770", "770"]);
    });

    for (const [what, name, value, kept] of attributes) {
      rootTest(title(`${kept === "" ? "leaves out" : "keeps"} ${what}`), () => {
        using sandbox = new LayerSandbox(form);

        const { path } = sandbox.unpack([{ name: "file", mode: 0o600, xattrs: { [name]: value } }]);

        const { mode, xattrs } = snapshotTree(path)["file"] ?? {};
        expect(`${mode} ${xattrs}`).toBe(kept === "" ? "600 " : kept);
      });
    }

    rootTest(title("makes hard links whose target comes later, also in long chains"), () => {
      using sandbox = new LayerSandbox(form);
      const chain = Array.from({ length: 3000 }, (_, index): TarEntry => {
        return { name: `link-${index}`, type: "hardlink", link: `link-${index + 1}` };
      });

      const { path, result } = sandbox.unpack([...chain, { name: "link-3000", data: "end" }]);

      expect(result.links).toEqual([]);
      expect(statSync(`${path}/link-0`).nlink).toBe(3001);
    });

    rootTest(title("links to a symlink itself, and goes through the new name as well"), () => {
      using sandbox = new LayerSandbox(form);

      const { path } = sandbox.unpack([
        { name: "dir/" },
        { name: "one", type: "symlink", link: "dir" },
        { name: "two", type: "hardlink", link: "one" },
        { name: "two/file", data: "x" },
      ]);

      expect(listTree(path)).toEqual(["dir/", "dir/file", "one", "two"]);
    });

    const forms = ["gnu", "pax-0.0", "pax-0.1", "pax-1.0"] as const;
    rootTest(title("links names to what AUFS kept for them, and has none of its own files"), () => {
      using sandbox = new LayerSandbox(form);
      const link = (name: string, source: string): TarEntry => {
        return { name, type: "hardlink", link: `/.wh..wh.plnk/${source}` };
      };

      const { path, result } = sandbox.unpack([
        { name: ".wh..wh.aufs" },
        { name: ".wh..wh.orph/", mode: 0o700 },
        { name: ".wh..wh.plnk/", mode: 0o700 },
        { name: ".wh..wh.plnk/12.34", data: "linked", mode: 0o640, uid: 5 },
        { name: ".wh..wh.plnk/56.78", data: "unused" },
        { name: "a/" },
        link("a/one", "12.34"),
        link("two", "12.34"),
        link("later", "90.12"),
        { name: ".wh..wh.plnk/90.12", data: "comes later" },
      ]);

      expect(listTree(path)).toEqual(["a/", "a/one", "later", "two"]);
      const { "a/one": one, later } = snapshotTree(path);
      expect(one).toMatchObject({ mode: "640", owner: "5:0", links: ["two"] });
      expect(readFileSync(`${path}/two`, "utf8")).toBe("linked");
      expect(later).toMatchObject({ links: [] });
      expect(result).toMatchObject({ implied: [], links: [] });
    });

    rootTest(title("says which of AUFS' links has no source"), () => {
      using sandbox = new LayerSandbox(form);

      const { result } = sandbox.unpack([{ name: "one", type: "hardlink", link: ".wh..wh.plnk/1.2" }]);

      expect(result.links).toEqual([{ path: "one", target: ".wh..wh.plnk/1.2", entry: "one" }]);
    });

    rootTest.each(forms)(title("makes sparse files of form %s with their holes"), (sparse) => {
      using sandbox = new LayerSandbox(form);
      const segments = Array.from({ length: 30 }, (_, index) => ({
        offset: index * 100_000,
        data: `at ${index}`,
      }));

      const { path } = sandbox.unpack(
        [{ name: "s", sparse: { form: sparse, realSize: 5_000_000, segments } }],
        {},
        1000,
      );

      const content = readFileSync(`${path}/s`);
      expect(content.length).toBe(5_000_000);
      expect(content.toString("latin1").replaceAll("\0", "")).toBe(segments.map(({ data }) => data).join(""));
      expect(content.toString("latin1", 2_900_000, 2_900_005)).toBe("at 29");
      // An image has its holes in its own file (erofs.test.ts).
      if (form === "directory") expect(statSync(`${path}/s`).blocks * 512).toBeLessThan(1_000_000);
    });
  });

  describe("whiteouts", () => {
    rootTest(title("become overlay's character devices and opaque marks"), () => {
      using sandbox = new LayerSandbox(form);

      const { path } = sandbox.unpack([
        { name: "a/" },
        { name: "a/.wh.gone" },
        { name: "b/" },
        { name: "b/.wh..wh..opq" },
        { name: ".wh.never" },
      ]);

      const tree = snapshotTree(path);
      expect(tree["a/gone"]).toMatchObject({ type: WHITEOUT, content: "0" });
      expect(tree["never"]).toMatchObject({ type: WHITEOUT, content: "0" });
      expect(tree["b"]?.xattrs).toEqual(["trusted.overlay.opaque=79"]);
    });

    rootTest(title("leave alone what their own layer holds, before and after them"), () => {
      using sandbox = new LayerSandbox(form);

      const { path } = sandbox.unpack([
        { name: "file", data: "1" },
        { name: ".wh.file" },
        { name: ".wh.late" },
        { name: "late", data: "2" },
        { name: "dir/" },
        { name: ".wh.dir" },
        { name: ".wh.fresh" },
        { name: "fresh/new", data: "3" },
      ]);

      const tree = snapshotTree(path);
      expect(listTree(path)).toEqual(["dir/", "file", "fresh/", "fresh/new", "late"]);
      expect(tree["dir"]?.xattrs).toEqual(["trusted.overlay.opaque=79"]);
      expect(tree["fresh"]?.xattrs).toEqual(["trusted.overlay.opaque=79"]);
    });

    rootTest(title("are nothing below what their own layer has put in the directory's place"), () => {
      using sandbox = new LayerSandbox(form);

      const { path } = sandbox.unpack([
        { name: "file", data: "1" },
        { name: "file/.wh.gone" },
        { name: "file/deep/.wh..wh..opq" },
        { name: "late/.wh.gone" },
        { name: "late", data: "2" },
      ]);

      expect(listTree(path)).toEqual(["file", "late"]);
    });

    rootTest(title("are dropped inside opaque directories, where readdir(3) would show them"), () => {
      using sandbox = new LayerSandbox(form);

      const { path } = sandbox.unpack([
        { name: "d/sub/" },
        { name: "d/.wh.one" },
        { name: "d/sub/.wh.two" },
        { name: "d/.wh..wh..opq" },
      ]);

      expect(listTree(path)).toEqual(["d/", "d/sub/"]);
    });

    rootTest(title("of the root hide all layers below, and the result says so"), () => {
      using sandbox = new LayerSandbox(form);

      const { result } = sandbox.unpack([{ name: ".wh..wh..opq" }]);

      expect(result.opaque).toBeTrue();
    });
  });
});

describe("layers that are directories", () => {
  const [, missing] = layerForms.find(([form]) => form === "directory") ?? [];
  const title = (text: string): string => titleOf(text, missing);
  const rootTest = test.skipIf(missing !== undefined);

  rootTest(title("gives modes as the archive says them where the store itself hands access lists on"), () => {
    using sandbox = new LayerSandbox();
    trySetxattr(sandbox.path, "system.posix_acl_default", ACCESS_LIST);

    const { path } = sandbox.unpack([{ name: "file" }, { name: "d/" }]);

    const tree = snapshotTree(path);
    expect([".", "d", "file"].map((name) => [tree[name]?.mode, tree[name]?.xattrs])).toEqual([
      ["755", []],
      ["755", []],
      ["644", []],
    ]);
  });
});

describe("layers that are directories on ext4", () => {
  const [, missing] = layerForms.find(([form]) => form === "directory") ?? [];
  const reason =
    missing ?? (statfsSync(tmpdir()).type === EXT4 ? undefined : "needs ext4 for temporary files");

  test.skipIf(reason !== undefined)(
    titleOf("does not take attributes that are too large for a disk that is full", reason),
    () => {
      using sandbox = new LayerSandbox();
      const entry: TarEntry = { name: "file", xattrs: { "user.large": "x".repeat(5000) } };

      expect(() => sandbox.unpack([entry])).toThrow(
        expect.objectContaining({
          message: 'Cannot unpack entry "file": E2BIG',
          hint: expect.stringContaining("extended attributes are more than this file system keeps"),
        }),
      );
    },
  );
});

describe("a directory without root's rights", () => {
  const [, missing] = layerForms.find(([form]) => form === "directory") ?? [];
  const title = (text: string): string => titleOf(text, missing);
  const rootTest = test.skipIf(missing !== undefined);

  rootTest(title("counts owners, devices and attributes that it may not set"), () => {
    using sandbox = new LayerSandbox();

    const { path, result } = sandbox.unpack(
      [
        { name: "mine", uid: 0, gid: 0 },
        { name: "other", uid: 5, gid: 5 },
        { name: "null", type: "char", major: 1, minor: 3 },
        { name: "link", type: "symlink", link: "mine", xattrs: { "user.x": "1" } },
      ],
      { owners: "single", devices: "skip" },
    );

    expect(result.skipped).toEqual({ owners: 1, devices: 1, xattrs: 1 });
    expect(listTree(path)).toEqual(["link", "mine", "other"]);
    expect(snapshotTree(path)["other"]?.owner).toBe("0:0");
  });
});
