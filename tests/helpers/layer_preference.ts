/**
 * `BUNKER_TEST_LAYERS=erofs bun test …` has the suites that pull do it into files instead of directories, where the kernel
 * mounts such.
 */
import type { LayerPreference } from "../../src/image/erofs/layer_form.ts";

const value = process.env["BUNKER_TEST_LAYERS"];

/** What the run of the tests asks for; undefined: what bunker does by itself. */
export const layerPreference: LayerPreference | undefined =
  value === "erofs" || value === "directories" ? value : undefined;
