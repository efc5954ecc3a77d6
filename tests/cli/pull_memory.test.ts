/** `bunker pull` takes the same memory for a layer of any size: what comes is handed on, never gathered. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";

/** Both are large enough for threads of their own. */
const SIZES = { little: 10_000_000, much: 200_000_000 } as const;
/** What garbage collectors and page caches make of equal work: measured is 1.06; a copy of the larger layer makes it 4. */
const RATIO_MAX = 1.4;

const imageOf = (size: number, compression: "zstd" | "none") =>
  buildImage({ layers: [{ entries: [{ name: "noise", data: noise(size) }], compression }] });

/** Memory that was resident at most, in a unit of busybox' own: kilobytes, or a quarter of them. */
async function peakOf(place: PullPlace, sandbox: Sandbox, image: string): Promise<number> {
  const report = `${sandbox.directory}/${image}`;
  const wrapper = ["busybox", "time", "-f", "%M", "-o", report];
  const { exitCode } = await place.bunker(["pull", "-q", place.name(image)], { wrapper, timeoutMs: 60_000 });
  if (exitCode !== 0) throw new Error(`Cannot pull "${image}"`);
  return Number(readFileSync(report, "utf8").trim());
}

describe("the peak memory of bunker pull", () => {
  for (const compression of ["zstd", "none"] as const) {
    kernelTest(
      `does not grow with a layer that is compressed by ${compression}`,
      PULL_NEEDS,
      async (sandbox) => {
        const images = {
          "little:latest": imageOf(SIZES.little, compression),
          "much:latest": imageOf(SIZES.much, compression),
        };
        await using place = new PullPlace(sandbox, images);

        const little = await peakOf(place, sandbox, "little");
        const much = await peakOf(place, sandbox, "much");

        expect(much / little).toBeLessThan(RATIO_MAX);
      },
    );
  }
});
