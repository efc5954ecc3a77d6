import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { titleOf } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { listTree, snapshotTree } from "../../helpers/tree_snapshot.ts";

const WHITEOUT = "char";

const lower: readonly TarEntry[] = [
  { name: "tmp/", mode: 0o1777, uid: 9, mtime: 1_300_000_000, xattrs: { "user.a": "b" } },
  { name: "usr/lib/", mode: 0o750, mtime: 1_300_000_000 },
  { name: "usr/lib/old", data: "old" },
  { name: "lib", type: "symlink", link: "usr/lib" },
  { name: "etc/", mode: 0o700 },
  { name: "etc/target", data: "target", uid: 3, mode: 0o640 },
  { name: "opt/a/b", data: "x" },
];

const upper: readonly TarEntry[] = [
  { name: "tmp/new", data: "n" },
  { name: "lib/new", data: "n" },
  { name: "lib/.wh.old" },
  { name: "lib/deep/er", data: "d" },
  { name: "copy", type: "hardlink", link: "etc/target" },
  { name: "opt/.wh.a" },
];

const third: readonly TarEntry[] = [
  { name: "opt/c", data: "c" },
  { name: "usr/.wh..wh..opq" },
  { name: "usr/only" },
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
      ]);

      expect(listTree(path)).toEqual(["a", "b/", "c", "d/", "d/kept"]);
      expect(snapshotTree(path)["d"]).toMatchObject({ mode: "711", owner: "5:0", xattrs: [] });
    });

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

  describe("LowerLayers", () => {
    rootTest(title("gives directories without an entry what they have below"), () => {
      using sandbox = new LayerSandbox(form);

      const [, path = ""] = sandbox.unpackAll([lower, upper]);

      const tree = snapshotTree(path);
      expect(tree["tmp"]).toMatchObject({
        mode: "1777",
        owner: "9:0",
        mtime: "1300000000000000000",
        xattrs: ["user.a=62"],
      });
    });

    rootTest(title("moves what lies in a symlink of the layers below to where that leads"), () => {
      using sandbox = new LayerSandbox(form);

      const [, path = ""] = sandbox.unpackAll([lower, upper]);

      const tree = snapshotTree(path);
      expect(tree["lib"]).toBeUndefined();
      expect(tree["usr/lib"]).toMatchObject({ mode: "750", mtime: "1300000000000000000" });
      expect(tree["usr/lib/old"]).toMatchObject({ type: WHITEOUT });
      expect(Object.keys(tree)).toContain("usr/lib/deep/er");
    });

    rootTest(title("brings up the target of a hard link into a lower layer"), () => {
      using sandbox = new LayerSandbox(form);

      const [, path = ""] = sandbox.unpackAll([lower, upper]);

      const tree = snapshotTree(path);
      expect(tree["copy"]).toMatchObject({ owner: "3:0", mode: "640", links: ["etc/target"] });
      expect(tree["etc"]).toMatchObject({ mode: "700" });
    });

    rootTest(title("refuses a hard link to nothing, to a directory, and to what is hidden"), () => {
      using sandbox = new LayerSandbox(form);
      const linkTo = (link: string): TarEntry => ({ name: "x", type: "hardlink", link });
      const refused = expect.objectContaining({ code: "LAYER_INVALID" });

      expect(() => sandbox.unpackAll([lower, [linkTo("nothing")]])).toThrow(refused);
      expect(() => sandbox.unpackAll([lower, [linkTo("tmp")]])).toThrow(refused);
      expect(() => sandbox.unpackAll([lower, [{ name: "etc/.wh.target" }, linkTo("etc/target")]])).toThrow(
        refused,
      );
      expect(() => sandbox.unpackAll([lower, [{ name: ".wh.etc" }], [linkTo("etc/target")]])).toThrow(
        refused,
      );
    });

    rootTest(title("makes layers that overlayfs shows as flattenLayers() merges them"), async () => {
      using sandbox = new LayerSandbox(form);
      const layers = sandbox.unpackAll([lower, upper, third]);
      const [mounted, merged] = [`${sandbox.path}/mounted`, `${sandbox.path}/merged`];

      flattenLayers(layers, merged, { whiteouts: "trusted" });

      await Bun.$`mkdir ${mounted}; mount -t overlay -o lowerdir=${layers.toReversed().join(":")} bunker ${mounted}`;
      try {
        const shown = snapshotTree(mounted);
        expect(snapshotTree(merged)).toEqual(shown);
        expect(Object.keys(shown)).not.toContain("opt/a");
      } finally {
        await Bun.$`umount ${mounted}`;
      }
    });
  });
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

  rootTest(title("merges the same from the archives' own whiteout files"), () => {
    using sandbox = new LayerSandbox();
    const merge = (whiteouts: "trusted" | "files" | "user"): object => {
      const target = `${sandbox.path}/${whiteouts}`;
      flattenLayers(sandbox.unpackAll([lower, upper, third], { whiteouts }), target, { whiteouts });
      return snapshotTree(target, (path) => (path === "." ? undefined : {}));
    };

    const expected = merge("trusted");

    expect(merge("files")).toEqual(expected);
    expect(merge("user")).toEqual(expected);
  });
});
