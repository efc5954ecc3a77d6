/** The resources that `update` sets, from a file or put together from options. */
import { readFileSync } from "node:fs";
import type { Resources } from "../../oci/bundle/config.ts";
import { parseResources } from "../../oci/bundle/parse.ts";
import { RuntimeError } from "./context.ts";

/** Means standard input. */
const STDIN = "-";

/** Resources as JSON from a file, or standard input for `-`. @throws {ConfigError} that names what is wrong. */
export function readResources(path: string): Resources {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path === STDIN ? 0 : path);
  } catch (error) {
    throw new RuntimeError(`cannot read resources from "${path}"`, { cause: error });
  }
  return parseResources(bytes);
}

/** Resources that were put together from options. @throws {ConfigError} that names what is out of range. */
export const checkResources = (resources: object): Resources => parseResources(JSON.stringify(resources));
