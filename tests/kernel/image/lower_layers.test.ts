/** Layers of both forms, completed from those below them. */
import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { seededRandom } from "../../helpers/random_policy.ts";
import { titleOf } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { listTree, snapshotTree } from "../../helpers/tree_snapshot.ts";

const WHITEOUT = "char";
const OPAQUE = "trusted.overlay.opaque=79";

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

describe.each([...layerForms])("LowerLayers, with layers of form %s", (form, missing) => {
  const title = (text: string): string => titleOf(text, missing);
  const rootTest = test.skipIf(missing !== undefined);

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

  rootTest(title("takes nothing from what a layer between has hidden"), () => {
    using sandbox = new LayerSandbox(form);
    const opaque: readonly TarEntry[] = [{ name: "usr/" }, { name: "usr/.wh..wh..opq" }];

    const [, , path = ""] = sandbox.unpackAll([lower, opaque, [{ name: "usr/lib/new", data: "n" }]]);

    expect(snapshotTree(path)["usr/lib"]).toMatchObject({ mode: "755" });
    const link: TarEntry = { name: "x", type: "hardlink", link: "usr/lib/old" };
    expect(() => sandbox.unpackAll([lower, opaque, [link]])).toThrow(/does not exist/);
  });

  rootTest(title("joins what a layer puts into one directory by two ways"), () => {
    using sandbox = new LayerSandbox(form);

    const [, path = ""] = sandbox.unpackAll([
      [
        ...lower,
        { name: "usr/lib/twin/" },
        { name: "usr/lib/other/" },
        { name: "usr/lib/gone/" },
        { name: "usr/lib/one" },
      ],
      [
        { name: "usr/lib/twin/direct" },
        { name: "lib/twin/", mode: 0o711, uid: 6 },
        { name: "lib/twin/linked" },
        { name: "usr/lib/other/", mode: 0o700, uid: 7 },
        { name: "lib/other/linked" },
        // Removed by one way and there by the other: a whiteout is of the layers below only.
        { name: "usr/lib/one", data: "new" },
        { name: "lib/.wh.one" },
        { name: "usr/lib/.wh.gone" },
        { name: "lib/gone/again" },
      ],
    ]);

    const tree = snapshotTree(path);
    expect(tree["usr/lib/twin"]).toMatchObject({ mode: "711", owner: "6:0" });
    expect(tree["usr/lib/other"]).toMatchObject({ mode: "700", owner: "7:0" });
    expect(Object.keys(tree)).toContain("usr/lib/twin/direct");
    expect(Object.keys(tree)).toContain("usr/lib/twin/linked");
    expect(tree["usr/lib/one"]).toMatchObject({ type: "file" });
    expect(tree["usr/lib/gone"]?.xattrs).toEqual([OPAQUE]);
  });

  rootTest(title("takes a symlink to a name longer than any for one to nothing"), () => {
    using sandbox = new LayerSandbox(form);
    const link: TarEntry = { name: "l", type: "symlink", link: "t".repeat(300) };

    const [, path = ""] = sandbox.unpackAll([[link], [{ name: "l/file" }]]);

    expect(listTree(path)).toEqual(["l/", "l/file"]);
  });

  rootTest(title("hides nothing in a directory that no layer below has"), () => {
    using sandbox = new LayerSandbox(form);

    const marks = ["fresh/.wh.gone", "only/.wh.gone", "deep/er/.wh.gone"].map((name) => ({ name }));
    const [, path = ""] = sandbox.unpackAll([lower, [...marks, { name: "fresh/file" }]]);

    expect(listTree(path)).toEqual(["fresh/", "fresh/file"]);
  });

  rootTest(title("hides what lies where a symlink of the layers below leads"), () => {
    using sandbox = new LayerSandbox(form);

    const [, path = ""] = sandbox.unpackAll([lower, [{ name: "lib/.wh..wh..opq" }, { name: "lib/new" }]]);

    const tree = snapshotTree(path);
    expect(tree["usr/lib"]).toMatchObject({ mode: "750", xattrs: [OPAQUE] });
    expect(Object.keys(tree)).toContain("usr/lib/new");
  });

  rootTest(title("brings up the target of a hard link into a lower layer"), () => {
    using sandbox = new LayerSandbox(form);

    const [, path = ""] = sandbox.unpackAll([lower, upper]);

    const tree = snapshotTree(path);
    expect(tree["copy"]).toMatchObject({ owner: "3:0", mode: "640", links: ["etc/target"] });
    expect(tree["etc"]).toMatchObject({ mode: "700" });
  });

  rootTest(title("refuses what would replace the directory that it lies in"), () => {
    using sandbox = new LayerSandbox(form);
    const below: readonly TarEntry[] = [{ name: "b/c", type: "symlink", link: "/b" }];

    expect(() => sandbox.unpackAll([below, [{ name: "b/c/c", data: "x" }]])).toThrow(
      expect.objectContaining({ code: "LAYER_INVALID", message: expect.stringContaining("through itself") }),
    );
  });

  rootTest(title("leaves out a hard link whose directory something else has replaced"), () => {
    using sandbox = new LayerSandbox(form);
    const below: readonly TarEntry[] = [...lower, { name: "b/s", type: "symlink", link: "/b" }];

    const [, path = ""] = sandbox.unpackAll([
      below,
      [
        { name: "b/s/d", data: "by the symlink" },
        { name: "b/d/link", type: "hardlink", link: "etc/target" },
      ],
    ]);

    expect(snapshotTree(path)["b/d"]).toMatchObject({ type: "file" });
  });

  rootTest(title("makes a hard link into a lower layer in a directory that holds nothing else"), () => {
    using sandbox = new LayerSandbox(form);
    const links = ["fresh/copy", "fresh/deep/er", "marked/copy"];

    const [, path = ""] = sandbox.unpackAll([
      lower,
      [
        { name: "marked/.wh.gone" },
        ...links.map((name): TarEntry => ({ name, type: "hardlink", link: "etc/target" })),
      ],
    ]);

    const tree = snapshotTree(path);
    expect(links.map((name) => tree[name]?.owner)).toEqual(["3:0", "3:0", "3:0"]);
    expect(Object.keys(tree)).not.toContain("marked/gone");
  });

  rootTest(title("keeps a hard link into a lower layer, whatever is hidden at its name afterwards"), () => {
    using sandbox = new LayerSandbox(form);
    const below: readonly TarEntry[] = [...lower, { name: "one", data: "old" }, { name: "two/old" }];

    const [, path = ""] = sandbox.unpackAll([
      below,
      [
        { name: "one", type: "hardlink", link: "etc/target" },
        { name: "two", type: "hardlink", link: "etc/target" },
        { name: ".wh.one" },
        { name: "two/.wh.old" },
      ],
    ]);

    const tree = snapshotTree(path);
    expect(tree["one"]).toMatchObject({ type: "file", owner: "3:0" });
    expect(tree["two"]).toMatchObject({ type: "file", owner: "3:0" });
  });

  rootTest(title("makes chains of hard links into a lower layer, in whatever order"), () => {
    using sandbox = new LayerSandbox(form);
    const chain = Array.from({ length: 300 }, (_, index): TarEntry => {
      return { name: `link-${index + 1}`, type: "hardlink", link: `link-${index}` };
    });
    const first: TarEntry = { name: "link-0", type: "hardlink", link: "lib/old" };

    const [, forward = ""] = sandbox.unpackAll([lower, [first, ...chain]]);
    const [, backward = ""] = sandbox.unpackAll([lower, [...chain.toReversed(), first]]);

    for (const path of [forward, backward]) {
      expect(snapshotTree(path)["link-300"]?.links).toHaveLength(301);
    }
  });

  rootTest(
    title("tries each link of a chain in no order a few times, not as often as there are links"),
    () => {
      using sandbox = new LayerSandbox(form);
      const random = seededRandom(1);
      const links = Array.from({ length: 3000 }, (_, index): TarEntry => {
        const link = index === 0 ? "etc/target" : `link-${index - 1}`;
        return { name: `link-${index}`, type: "hardlink", link };
      });
      for (let at = links.length - 1; at > 0; at -= 1) {
        const other = random(at + 1);
        [links[at], links[other]] = [links[other] as TarEntry, links[at] as TarEntry];
      }

      // Minutes when each round makes two of them.
      const [, path = ""] = sandbox.unpackAll([lower, links]);

      expect(statSync(`${path}/link-2999`).nlink).toBe(3001);
    },
    60_000,
  );

  rootTest(title("links to what the layer itself makes of a name, not to what has it below"), () => {
    using sandbox = new LayerSandbox(form);
    const one: TarEntry = { name: "etc/target", type: "hardlink", link: "lib/old" };
    const two: TarEntry = { name: "etc/two", type: "hardlink", link: "etc/target" };

    for (const links of [
      [one, two],
      [two, one],
    ]) {
      const [, path = ""] = sandbox.unpackAll([lower, links]);
      expect(readFileSync(`${path}/etc/two`, "utf8")).toBe("old");
    }
  });

  rootTest(title("makes a directory of its own where the layer removes the symlink below"), () => {
    using sandbox = new LayerSandbox(form);

    const [, path = ""] = sandbox.unpackAll([lower, [{ name: "lib/new", data: "n" }, { name: ".wh.lib" }]]);

    expect(listTree(path)).toEqual(["lib/", "lib/new"]);
    expect(snapshotTree(path)["lib"]).toMatchObject({ mode: "755", xattrs: [OPAQUE] });
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
    expect(() => sandbox.unpackAll([lower, [{ name: ".wh.etc" }], [linkTo("etc/target")]])).toThrow(refused);
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

describe("flattenLayers()", () => {
  const [, missing] = layerForms.find(([form]) => form === "directory") ?? [];
  const title = (text: string): string => titleOf(text, missing);
  const rootTest = test.skipIf(missing !== undefined);

  rootTest(title("shows the attributes of a directory that its topmost layer gives, and no others"), () => {
    using sandbox = new LayerSandbox();
    const merged = `${sandbox.path}/merged`;

    const layers = sandbox.unpackAll([
      [{ name: "d/", xattrs: { "user.lower": "l", "user.more": "m" } }],
      [{ name: "d/", xattrs: { "user.upper": "u" } }],
    ]);
    flattenLayers(layers, merged, { whiteouts: "trusted" });

    expect(snapshotTree(merged)["d"]?.xattrs).toEqual(["user.upper=75"]);
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

describe("LowerLayers, with whiteouts that are files", () => {
  const [, missing] = layerForms.find(([form]) => form === "directory") ?? [];
  const rootTest = test.skipIf(missing !== undefined);

  rootTest(titleOf("puts nothing where a symlink leads that the layer itself hides", missing), () => {
    using sandbox = new LayerSandbox();
    const options = { whiteouts: "files" } as const;

    const [, path = ""] = sandbox.unpackAll([lower, [{ name: ".wh.lib" }, { name: "lib/new" }]], options);

    expect(listTree(path)).toContain("lib/new");
    expect(listTree(path)).not.toContain("usr/lib/new");
  });

  rootTest(titleOf("leads no path through what the layer itself hides", missing), () => {
    using sandbox = new LayerSandbox();
    const entries: readonly TarEntry[] = [{ name: ".wh.usr" }, { name: "lib/new" }];

    const [, path = ""] = sandbox.unpackAll([lower, entries], { whiteouts: "files" });

    expect(listTree(path)).toContain("lib/new");
    expect(listTree(path)).not.toContain("usr/lib/new");
  });
});
