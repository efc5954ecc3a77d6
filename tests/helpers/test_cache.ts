/**
 * What takes minutes to make is kept between runs: BUNKER_TEST_CACHE, or a directory of the user's own among the temporary
 * ones. What no run has used for days goes.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";

const UNUSED_MS_MAX = 3 * 24 * 3_600_000;

/**
 * The directory `name`, made when there is none.
 * @param name changes with whatever it is made from
 * @param build fills a directory; what it throws leaves nothing
 */
export function cachedDirectory(name: string, build: (building: string) => void): string {
  const cache = cacheDirectory();
  const directory = `${cache}/${name}`;
  if (!existsSync(directory)) {
    removeUnused(cache);
    const building = mkdtempSync(`${cache}/building-`);
    try {
      build(building);
      publish(building, directory);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  }
  utimesSync(directory, new Date(), new Date());
  return directory;
}

/** A directory that is this user's alone: what is in it is run. */
function cacheDirectory(): string {
  const { BUNKER_TEST_CACHE, XDG_CACHE_HOME } = process.env;
  const uid = process.getuid?.() ?? 0;
  const directory = BUNKER_TEST_CACHE ?? `${XDG_CACHE_HOME ?? tmpdir()}/bunker-test-cache-${uid}`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stat = lstatSync(directory);
  if (!stat.isDirectory() || stat.uid !== uid)
    throw new Error(`Cannot use the cache "${directory}": it is another user's`);
  return directory;
}

/** Files of other states of the repository, and what was not finished. */
function removeUnused(cache: string): void {
  for (const name of readdirSync(cache)) {
    const path = `${cache}/${name}`;
    if (statSync(path).mtimeMs < Date.now() - UNUSED_MS_MAX) rmSync(path, { recursive: true, force: true });
  }
}

/** Another run may have been faster. */
function publish(building: string, directory: string): void {
  try {
    renameSync(building, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  }
}
