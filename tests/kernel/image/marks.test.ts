/**
 * What a layer hides, in every form that it is kept in: as overlayfs' directories, with the archive's own `.wh.` files, and
 * as an EROFS image. Where nothing else is said, the trees are those that umoci makes.
 */
import { describe, expect, test } from "bun:test";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { MergedFiles } from "../../../src/image/tree/merged_files.ts";
import { openLayerPath } from "../../../src/image/tree/open_layer_files.ts";
import type { UnpackOptions } from "../../../src/image/unpack/options.ts";
import { snapshotFiles } from "../../helpers/files_snapshot.ts";
import { isRoot, LayerSandbox } from "../../helpers/layer_sandbox.ts";
import { titleOf } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { snapshotTree, type TreeSnapshot } from "../../helpers/tree_snapshot.ts";

const FORMS: ReadonlyArray<readonly [name: string, options: Partial<UnpackOptions>]> = [
  ["directories", { form: "directory" }],
  ["files that are marks", { form: "directory", whiteouts: "files" }],
  ["images", { form: "erofs" }],
];

const below: readonly TarEntry[] = [
  { name: "d/" },
  { name: "d/x", data: "x" },
  { name: "d/y", data: "y" },
  { name: "f", data: "f" },
  { name: "to-d", type: "symlink", link: "d" },
  { name: "to-f", type: "symlink", link: "f" },
  { name: "to-nothing", type: "symlink", link: "nothing" },
];
const links = ["to-d", "to-f", "to-nothing"];
const OPAQUE = ".wh..wh..opq";
const mark = (...names: string[]): TarEntry[] => names.map((name) => ({ name }));
const link = (target: string): TarEntry => ({ name: "l", type: "hardlink", link: target });
const symlink = (target: string): TarEntry => ({ name: "s", type: "symlink", link: target });
const whole = ["d/", "d/x", "d/y", "f", ...links];

const shown: ReadonlyArray<readonly [what: string, layer: readonly TarEntry[], paths: readonly string[]]> = [
  ["below a symlink of the layer", [symlink("d"), ...mark("s/.wh.x")], ["d/", "d/y", "f", "s", ...links]],
  ["all below a symlink of the layer", [symlink("d"), ...mark(`s/${OPAQUE}`)], ["d/", "f", "s", ...links]],
  ["where a symlink comes later", [...mark("s/.wh.x"), symlink("d")], [...whole, "s"]],
  ["below a symlink of the layer to nothing", [symlink("no"), ...mark(`s/${OPAQUE}`)], [...whole, "s"]],
  ["below a symlink of the layer to a file", [symlink("f"), ...mark("s/.wh.x")], [...whole, "s"]],
  ["all below a symlink of the layer to a file", [symlink("f"), ...mark(`s/${OPAQUE}`)], [...whole, "s"]],
  ["below a file", mark("f/.wh.x"), whole],
  ["all below a file", mark(`f/${OPAQUE}`), whole],
  ["deep below a file", mark("f/deep/.wh.x", `f/deeper/${OPAQUE}`), whole],
  ["below symlinks of the layers below", mark("to-f/.wh.x", `to-nothing/${OPAQUE}`), whole],
  ["in a directory that nobody has", mark(`new/${OPAQUE}`, "new/er/.wh.x"), whole],
  ["what the layer hides already", mark(".wh.d", "d/.wh.x", `d/${OPAQUE}`, "d/e/.wh.z"), ["f", ...links]],
  ["what was a file, and all below it", mark(".wh.f", `f/${OPAQUE}`), ["d/", "d/x", "d/y", ...links]],
  ["in a directory below an opaque one", mark(`d/${OPAQUE}`, "d/e/.wh.z"), ["d/", "f", ...links]],
  ["in a directory of an opaque root", mark(OPAQUE, "d/.wh.x"), []],
  [
    "what it then has itself",
    [...mark(".wh.d", "d/.wh.n"), { name: "d/n" }, ...mark("d/.wh.n")],
    ["d/", "d/n", "f", ...links],
  ],
  // Marks below a file by one way, a whiteout of it by another: what is hidden stays hidden.
  ["by two ways", mark("d/.wh.x", "to-d/x/.wh.z"), ["d/", "d/x/", "d/y", "f", ...links]],
];

const refused: ReadonlyArray<readonly [what: string, layer: readonly TarEntry[]]> = [
  ["by a whiteout", [link("d/x"), ...mark("d/.wh.x")]],
  ["by a whiteout of its directory", [...mark(".wh.d"), { name: "d/" }, link("d/x")]],
  ["by an opaque root", [...mark(OPAQUE), link("f")]],
  ["by an opaque root that comes later", [link("d/x"), ...mark(OPAQUE)]],
  ["by an opaque root and a whiteout", [...mark(OPAQUE, ".wh.f"), link("f")]],
  ["by an opaque directory", [{ name: "d/" }, ...mark(`d/${OPAQUE}`), link("d/x")]],
  ["by an opaque directory and a whiteout", [...mark(`d/${OPAQUE}`, "d/.wh.x"), link("d/x")]],
  ["by an opaque directory, through a symlink", [...mark(`d/${OPAQUE}`), link("to-d/x")]],
  ["by an opaque root, as the symlink on the way is", [...mark(OPAQUE), link("to-d/x")]],
];

describe.each([...FORMS])("a layer in the form of %s", (_, options) => {
  const title = (text: string): string => titleOf(text, isRoot ? undefined : "needs root");
  const rootTest = test.skipIf(!isRoot);

  for (const [what, layer, paths] of shown) {
    rootTest(title(`hides ${what}`), () => {
      using sandbox = new LayerSandbox(options.form);

      const stack = sandbox.writeAll([below, layer], () => options);

      using merged = new MergedFiles(stack.toReversed().map(openLayerPath));
      expect(namesOf(snapshotFiles(merged))).toEqual([...paths].sort());
      if (options.form === "erofs") return;
      const flat = `${sandbox.path}/flat`;
      flattenLayers(stack, flat, { whiteouts: options.whiteouts ?? "trusted" });
      expect(namesOf(snapshotTree(flat))).toEqual([...paths].sort());
    });
  }

  for (const [what, layer] of refused) {
    rootTest(title(`has no hard link to what it hides itself, ${what}`), () => {
      using sandbox = new LayerSandbox(options.form);

      const unpack = (): unknown => sandbox.writeAll([below, layer], () => options);

      expect(unpack).toThrow('Cannot unpack entry "l": it is a hard link to something that does not exist');
    });
  }
});

/** Paths, of directories with a "/" behind. */
const namesOf = (tree: TreeSnapshot): string[] =>
  Object.entries(tree)
    .filter(([path]) => path !== ".")
    .map(([path, { type }]) => (type === "directory" ? `${path}/` : path))
    .sort();
