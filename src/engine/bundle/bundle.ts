/** A bundle: a directory with config.json, which names the container's root (bundle.md). */
import { readSmallFile } from "../../linux/small_file.ts";
import type { Process, RuntimeConfig } from "../../oci/bundle/config.ts";
import { parseConfig } from "../../oci/bundle/parse.ts";
import { RuntimeError } from "./context.ts";

/** A bundle that can be made a container of. */
export interface Bundle {
  /** Absolute path. */
  readonly directory: string;
  readonly bytes: Uint8Array;
  readonly config: RuntimeConfig & { readonly process: Process };
  /** Absolute path of the root. */
  readonly rootfs: string;
}

/**
 * Reads the bundle in `directory`; `configFile` may stand elsewhere.
 * @throws {RuntimeError} when there is none.
 * @throws {ConfigError} that names the field which is wrong.
 */
export function openBundle(directory: string, configFile?: string): Bundle {
  const absolute = absolutePath(directory, process.cwd());
  const path = configFile === undefined ? `${absolute}/config.json` : absolutePath(configFile, process.cwd());
  const bytes = readSmallFile(path);
  if (bytes === undefined) {
    throw new RuntimeError(`JSON specification file ${path} not found: no such file or directory`, {
      hint: "Name the bundle's directory with --bundle, or write one with the command spec",
    });
  }
  const config = parseConfig(bytes);
  if (config.process === undefined) throw missing("process");
  if ((config.process.args ?? []).length === 0) throw missing("process.args");
  if (config.root === undefined) throw missing("root");
  return {
    directory: absolute,
    bytes,
    config: { ...config, process: config.process },
    rootfs: absolutePath(config.root.path, absolute),
  };
}

const missing = (field: string): RuntimeError =>
  new RuntimeError(`${field}: must be given to start a container (runtime-spec config.md)`);

/** `path` from `base`, without ".", "..", and a slash at its end; as filepath.Abs of Go has it, before links are followed. */
function absolutePath(path: string, base: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${base}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
