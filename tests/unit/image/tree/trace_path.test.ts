import { describe, expect, test } from "bun:test";
import { DirectoryFiles } from "../../../../src/image/tree/directory_files.ts";
import { MergedFiles } from "../../../../src/image/tree/merged_files.ts";
import { tracePath } from "../../../../src/image/tree/trace_path.ts";
import { walkFiles } from "../../../helpers/files_snapshot.ts";
import { LayerSandbox } from "../../../helpers/layer_sandbox.ts";
import { randomLayers } from "../../../helpers/random_layers.ts";

const STACKS = 12;
const LAYERS_MAX = 6;

describe("tracePath()", () => {
  test("agrees with what random stacks show, for every path of every layer", () => {
    for (let seed = 1; seed <= STACKS; seed += 1) {
      using sandbox = new LayerSandbox();
      const stack = randomLayers(seed, 1 + (seed % LAYERS_MAX));
      const paths = sandbox.unpackAll(stack, { whiteouts: "files", owners: "single", devices: "skip" });
      const layers = paths.toReversed().map((path) => new DirectoryFiles(path));
      using merged = new MergedFiles(layers);

      const all = new Set(layers.flatMap((layer) => [...walkFiles(layer)].map(([path]) => path)));

      const traced = [...all].map((path) => {
        const steps = tracePath(layers, path === "." ? "" : path);
        const shown = steps.filter(({ state }) => state === "shown" || state === "merged");
        const first = steps[0]?.state === "shown" ? steps[0].layer : undefined;
        return { path, layer: first, layers: shown.map(({ layer }) => layer) };
      });
      const expected = [...all].map((path) => {
        const origin = merged.originOf(path === "." ? "" : path);
        return { path, layer: origin?.layer, layers: [...(origin?.layers ?? [])] };
      });
      expect({ seed, traced }).toEqual({ seed, traced: expected });
    }
  });
});
