/** Where the code of a lane's Workers lies. */

/** What scripts/build.ts puts here. */
declare const BUNKER_BUILD: string;

/** Where `bun build --compile` puts an entry point of src/ in the executable. */
const EMBEDDED = "/$bunfs/root/image/lane/lane_worker.js";

/**
 * The URL of the code, a path inside the executable when there is one: a relative one could name a file of the working
 * directory.
 * @returns undefined in an executable of somebody else, which has this library inside but no file for Workers
 */
export function laneWorkerUrl(): string | undefined {
  if (typeof BUNKER_BUILD === "string") return EMBEDDED;
  if (Bun.main.startsWith("/$bunfs/")) return undefined;
  return new URL("./lane_worker.ts", import.meta.url).href;
}
