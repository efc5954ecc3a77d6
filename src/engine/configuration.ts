/**
 * The configuration: `/etc/bunker/config.json`, then the user's own, of which each registry replaces the system's entry;
 * or the one file that BUNKER_CONFIG or --config names. An unknown key is refused: a misspelt one would be ignored.
 */
import { readFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import type { LayerPreference } from "../image/erofs/layer_form.ts";
import { parseRegistriesConfig, type RegistriesConfig } from "../registry/registries_config.ts";
import type { EngineContext } from "./context.ts";
import { userDirectory } from "./home.ts";

/** Largest configuration file that is read, in bytes. */
const FILE_SIZE_MAX = 1 << 20;

/** What the configuration says. */
export interface Configuration {
  readonly registries: RegistriesConfig;
  /** How layers are kept; undefined: the default. */
  readonly layers: LayerPreference | undefined;
}

/** Reads the configuration. @throws {UsageError} naming the file and what is wrong in it. */
export function readConfiguration(context: EngineContext): Configuration {
  const given = context.config ?? process.env["BUNKER_CONFIG"];
  if (given !== undefined && given !== "") return readFile(given) ?? missing(given);
  const own = `${userDirectory("XDG_CONFIG_HOME", ".config")}/bunker/config.json`;
  const files = ["/etc/bunker/config.json", own].map((path) => readFile(path));
  return {
    registries: Object.assign({}, ...files.map((file) => file?.registries)),
    layers: files.findLast((file) => file?.layers !== undefined)?.layers,
  };
}

function missing(path: string): never {
  throw new UsageError(`Cannot read the configuration "${path}": there is no such file`, {
    hint: "Check BUNKER_CONFIG and --config",
  });
}

/** Undefined when there is no such file. */
function readFile(path: string): Configuration | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UsageError(`Cannot read the configuration "${path}": ${code}`, { cause: error });
  }
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`Cannot use the configuration "${path}"`, { cause: error });
  }
}

function parse(text: string): Configuration {
  if (text.length > FILE_SIZE_MAX) throw new RangeError("Cannot use a configuration of more than 1 MiB");
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError("Cannot use the configuration: expected an object");
  }
  const unknown = Object.keys(value).find((key) => key !== "registries" && key !== "layers");
  if (unknown !== undefined)
    throw new SyntaxError(`Cannot use the key "${unknown}": known are "registries" and "layers"`);
  return {
    registries: parseRegistriesConfig("registries" in value ? value.registries : {}),
    layers: "layers" in value ? parseLayers(value.layers) : undefined,
  };
}

function parseLayers(value: unknown): LayerPreference {
  if (value === "erofs" || value === "directories") return value;
  throw new SyntaxError('Cannot use the value of "layers": expected "erofs" or "directories"');
}
