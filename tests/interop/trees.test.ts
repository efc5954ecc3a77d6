/**
 * Random images as bunker, umoci and podman show them: whatever layers hold, the trees are equal. FUZZ_SEED=… chooses other
 * images, FUZZ_SEED=random looks further, and FUZZ_COUNT=… looks at more of them.
 */
import { describe, expect } from "bun:test";
import { buildImage } from "../helpers/image_builder.ts";
import { seededRandom } from "../helpers/random_policy.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { ImageTrees, isRefused, TREE_NEEDS, type Tree } from "./image_trees.ts";
import { knownDifferences, type Shown } from "./known_differences.ts";
import { ODDITIES, type Oddity, randomLayers } from "./random_image.ts";
import { recommit } from "./recommit.ts";
import { seedOf } from "./seed.ts";
import { shrinkLayers } from "./shrink_layers.ts";
import { comparableWith, differencesOf, type Peer } from "./tree_comparison.ts";

const SEED = seedOf(process.env["FUZZ_SEED"]);
const COUNT = Number(process.env["FUZZ_COUNT"] ?? 12);
/** A tree takes a tenth of a second, and half of one when podman has to make it too. */
const TEST_MS_MAX = 60_000 + COUNT * 5000;

type Layers = ReadonlyArray<readonly TarEntry[]>;

describe(`a random image, seed ${SEED}`, () => {
  kernelTest(
    "is shown by bunker as umoci unpacks it, and as podman mounts it",
    TREE_NEEDS,
    (sandbox) => compareMany(new ImageTrees(`${sandbox.directory}/trees`), ["umoci", "podman"], []),
    TEST_MS_MAX,
  );

  for (const odd of ODDITIES) {
    kernelTest(
      `is shown by bunker as umoci unpacks it, with ${odd}`,
      TREE_NEEDS,
      (sandbox) => compareMany(new ImageTrees(`${sandbox.directory}/trees`), ["umoci"], [odd]),
      TEST_MS_MAX,
    );
  }
});

describe(`a layer that a peer writes, seed ${SEED}`, () => {
  for (const writer of ["umoci", "buildah"] as const) {
    kernelTest(
      `is shown by bunker as umoci unpacks it: ${writer}`,
      [...TREE_NEEDS, `program ${writer}`],
      async (sandbox) => {
        await using trees = new ImageTrees(`${sandbox.directory}/trees`);
        for (let seed = SEED; seed < SEED + Math.ceil(COUNT / 3); seed++) {
          const [before, after] = [0, 1].map((at) => randomLayers(seededRandom((seed + at) * 7919)));
          const states = { before: before ?? [], after: after ?? [] };
          const image = await recommit(writer, { directory: `${sandbox.directory}/${seed}`, ...states });

          const [own, other] = [await trees.bunker(image), await trees.umoci(image)];

          // buildah leaves out what it cannot read, and umoci then cannot unpack what lay below.
          if (isRefused(other)) continue;
          if (isRefused(own)) throw new Error(`seed ${seed}: ${own.refused}`);
          const differences = differencesOf(comparableWith("umoci", own), comparableWith("umoci", other));
          expect([seed, differences]).toEqual([seed, []]);
        }
      },
      TEST_MS_MAX,
    );
  }
});

describe("peers are known", () => {
  for (const { peer, what, layers, path, bunker, shown } of knownDifferences) {
    kernelTest(`${peer} ${what}`, TREE_NEEDS, async (sandbox) => {
      await using trees = new ImageTrees(`${sandbox.directory}/trees`);
      const image = buildImage({ layers: layers.map((entries) => ({ entries })) });

      expectShown(await trees.bunker(image), path, bunker);
      expectShown(await trees[peer](image), path, shown);
    });
  }
});

function expectShown(tree: Tree, path: string, shown: Shown): void {
  if (shown === "nothing") expect(tree).not.toHaveProperty([path]);
  else if ("refused" in shown) expect(tree["refused"]).toMatch(shown.refused);
  else expect(isRefused(tree) ? tree : tree[path]).toMatchObject(shown);
}

/** Compares COUNT images. @throws {Error} with the seed and the smallest image that still differs */
async function compareMany(trees: ImageTrees, peers: readonly Peer[], odd: readonly Oddity[]): Promise<void> {
  await using _ = trees;
  for (let index = 0; index < COUNT; index++) {
    const seed = SEED + index;
    const layers = randomLayers(seededRandom(seed * 7919), { odd });
    for (const peer of peers) {
      const compare = (shrunk: Layers): Promise<readonly string[]> => compareOne(trees, peer, shrunk, odd);
      const differences = await compare(layers);
      if (differences.length === 0) continue;
      const small = await shrinkLayers(layers, async (shrunk) => (await compare(shrunk)).length > 0);
      const lines = [...(await compare(small)), ...small.map((layer) => Bun.inspect(layer, { depth: 9 }))];
      throw new Error(
        `Not as ${peer} has it; FUZZ_SEED=${seed} FUZZ_COUNT=1 shows it again:\n${lines.join("\n")}`,
      );
    }
  }
}

/** The differences between what bunker and a peer make of an image, as lines. */
async function compareOne(
  trees: ImageTrees,
  peer: Peer,
  layers: Layers,
  odd: readonly Oddity[],
): Promise<readonly string[]> {
  const image = buildImage({ layers: layers.map((entries) => ({ entries })) });
  const [own, other] = [await trees.bunker(image), await trees[peer](image)];
  // Nothing of what is made here is to be refused by anybody.
  if (isRefused(own)) return [`bunker refuses it: ${own.refused}`];
  if (isRefused(other)) return [`${peer} refuses it: ${other.refused}`];
  const links = !odd.includes("hard links to lower files");
  return differencesOf(comparableWith(peer, own, links), comparableWith(peer, other, links));
}
