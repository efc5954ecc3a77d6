/**
 * Random images in every form that bunker has for layers: directories, EROFS images, and merged into one directory where no
 * overlay can be mounted. FUZZ_SEED and FUZZ_COUNT as in trees.test.ts.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { flattenLayers } from "../../src/fs/copy_tree.ts";
import { type LayerForm, LayerSandbox, layerForms } from "../helpers/layer_sandbox.ts";
import { seededRandom } from "../helpers/random_policy.ts";
import { titleOf } from "../helpers/requires.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { snapshotTree, type TreeSnapshot } from "../helpers/tree_snapshot.ts";
import { ODDITIES, randomLayers } from "./random_image.ts";
import { seedOf } from "./seed.ts";
import { differencesOf } from "./tree_comparison.ts";

const SEED = seedOf(process.env["FUZZ_SEED"]);
const COUNT = Number(process.env["FUZZ_COUNT"] ?? 12);
const TEST_MS_MAX = 60_000 + COUNT * 1000;

describe.each(["nothing odd", ...ODDITIES])(`layers of a random image, seed ${SEED}, with %s`, (oddity) => {
  const odd = ODDITIES.filter((each) => each === oddity);
  const missing = layerForms.map(([, reason]) => reason).find((reason) => reason !== undefined);

  test.skipIf(missing !== undefined)(
    titleOf("show the same in every form", missing),
    async () => {
      for (let seed = SEED; seed < SEED + COUNT; seed++) {
        const layers = randomLayers(seededRandom(seed * 7919), { odd });

        const { mounted, merged } = await shownBy("directory", layers);
        const images = await shownBy("erofs", layers);

        expect([seed, differencesOf(mounted, merged)]).toEqual([seed, []]);
        expect([seed, differencesOf(mounted, images.mounted)]).toEqual([seed, []]);
        expect([seed, differencesOf(mounted, images.merged)]).toEqual([seed, []]);
      }
    },
    TEST_MS_MAX,
  );
});

interface Shown {
  /** By overlayfs. */
  readonly mounted: TreeSnapshot;
  /** Copied into one directory. */
  readonly merged: TreeSnapshot;
}

async function shownBy(form: LayerForm, layers: ReadonlyArray<readonly TarEntry[]>): Promise<Shown> {
  using sandbox = new LayerSandbox(form);
  const [mounted, merged, empty] = ["mounted", "merged", "empty"].map((name) => `${sandbox.path}/${name}`);
  const paths = sandbox.unpackAll(layers);
  flattenLayers(paths, `${merged}`, { whiteouts: "trusted" });
  for (const path of [mounted, empty]) mkdirSync(`${path}`);
  const lower = [...paths.toReversed(), empty].join(":");
  await Bun.$`mount -t overlay -o ro,lowerdir=${lower} bunker ${mounted}`;
  try {
    return { mounted: withoutRoot(`${mounted}`), merged: withoutRoot(`${merged}`) };
  } finally {
    await Bun.$`umount ${mounted}`;
  }
}

/** The time of a root that no layer describes is that of its making. */
function withoutRoot(path: string): TreeSnapshot {
  return snapshotTree(path, (name) => (name === "." ? undefined : {}));
}
