/**
 * `BUNKER_TEST_LAYERS=erofs bun test …` has the suites that pull do it into files instead of directories, where the kernel
 * mounts such.
 */
import type { LayerPreference } from "../../src/image/erofs/layer_form.ts";

const value = process.env["BUNKER_TEST_LAYERS"];

/** What the run of the tests asks for; undefined: what bunker does by itself. */
export const layerPreference: LayerPreference | undefined =
  value === "erofs" || value === "directories" ? value : undefined;

/** What `npm test` runs in this way too: the promises of images, on layers that are files. */
export const imageSuites: readonly string[] = [
  ...["pull", "images", "rmi", "load", "save", "system", "image_view", "image_mount"].map(
    (name) => `cli/${name}`,
  ),
  ...["commit", "export", "grades"].map((name) => `kernel/container/${name}`),
  "kernel/image/pull",
  "kernel/image/disks",
  "kernel/run/filesystem",
  "security/images/store",
].map((name) => `tests/${name}.test.ts`);
