import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { MergedFiles } from "../../../src/image/tree/merged_files.ts";
import { openLayerPath } from "../../../src/image/tree/open_layer_files.ts";
import { getxattr } from "../../../src/linux/xattr.ts";
import { snapshotFiles } from "../../helpers/files_snapshot.ts";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { randomLayers } from "../../helpers/random_layers.ts";
import { titleOf } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { snapshotTree, type TreeSnapshot } from "../../helpers/tree_snapshot.ts";

const STACKS = 25;
const LAYERS_MAX = 6;
/** Some hundred directories made and removed on a disk that others use too. */
const TEST_MS_MAX = 120_000;

describe("MergedFiles", () => {
  for (const form of ["trusted", "user"] as const) {
    kernelTest(
      `shows of random stacks what overlayfs does, ${form} form`,
      ["root", "overlayfs"],
      () => {
        for (let seed = 1; seed <= STACKS; seed += 1) {
          using layers = new LayerSandbox();
          const stack = layers.unpackAll(randomLayers(seed, 1 + (seed % LAYERS_MAX)), { whiteouts: form });

          const shown = merge(stack);

          expect({ seed, shown }).toEqual({ seed, shown: snapshotOverlay(stack, layers.path, form) });
        }
      },
      TEST_MS_MAX,
    );
  }

  const [, noImages] = layerForms.find(([form]) => form === "erofs") ?? [];

  for (const kind of ["images", "images between directories"] as const) {
    const title = titleOf(`shows of random stacks of ${kind} what overlayfs does, and directories`, noImages);
    test.skipIf(noImages !== undefined)(
      title,
      () => {
        for (let seed = 1; seed <= STACKS; seed += 1) {
          using images = new LayerSandbox("erofs");
          using directories = new LayerSandbox();
          const layers = randomLayers(seed, 1 + (seed % LAYERS_MAX));
          const isImage = (index: number): boolean => kind === "images" || index % 2 === 0;
          const stack = images.writeAll(layers, (index) => ({
            form: isImage(index) ? "erofs" : "directory",
          }));

          const shown = merge(stack);

          const mounted = stack.map((path) => images.show(path));
          expect({ seed, shown }).toEqual({ seed, shown: snapshotOverlay(mounted, images.path, "trusted") });
          const expected = merge(directories.unpackAll(layers));
          expect({ seed, shown: { ...shown, ".": 0 } }).toEqual({ seed, shown: { ...expected, ".": 0 } });
        }
      },
      TEST_MS_MAX,
    );
  }

  kernelTest(
    "shows the same of layers that keep the archives' own whiteouts",
    ["root"],
    () => {
      for (let seed = 1; seed <= STACKS; seed += 1) {
        using layers = new LayerSandbox();
        const stack = randomLayers(seed, 1 + (seed % LAYERS_MAX));

        const [shown, expected] = (["files", "trusted"] as const).map((whiteouts) =>
          withoutNewTimes(merge(layers.unpackAll(stack, { whiteouts }))),
        );

        expect({ seed, shown }).toEqual({ seed, shown: expected });
      }
    },
    TEST_MS_MAX,
  );
});

/** @param stack directories, bottom first */
function merge(stack: readonly string[]): TreeSnapshot {
  using merged = new MergedFiles(stack.toReversed().map(openLayerPath));
  return snapshotFiles(merged);
}

function snapshotOverlay(
  stack: readonly string[],
  directory: string,
  form: "trusted" | "user",
): TreeSnapshot {
  // An overlay without an upper directory wants two lower ones.
  const [empty, target] = [`${directory}/empty`, `${directory}/mount`];
  for (const path of [empty, target]) mkdirSync(path);
  // Overlayfs takes no notice of a layer's root; the store leaves out what lies below an opaque one.
  const isOpaque = (path: string): boolean => getxattr(path, `${form}.overlay.opaque`) !== undefined;
  const visible = stack.slice(Math.max(0, stack.findLastIndex(isOpaque)));
  const lower = `lowerdir=${[...visible.toReversed(), empty].join(":")}`;
  const options = form === "user" ? `ro,userxattr,${lower}` : `ro,${lower}`;
  const mount = Bun.spawnSync(["mount", "-t", "overlay", "overlay", "-o", options, target]);
  expect(mount.stderr.toString()).toBe("");
  try {
    return snapshotTree(target);
  } finally {
    Bun.spawnSync(["umount", target]);
  }
}

/** A whiteout in the form of a file changes the time of a directory that no entry describes. */
function withoutNewTimes(tree: TreeSnapshot): TreeSnapshot {
  return Object.fromEntries(
    Object.entries(tree).map(([path, node]) => [
      path,
      node.type === "directory" ? { ...node, mtime: "" } : node,
    ]),
  );
}
