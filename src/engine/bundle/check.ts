/**
 * `check`: every fault of a bundle, before anything is made: what config.json says (oci/bundle), the seccomp profile,
 * and what it names on this machine: the root, sources of bind mounts, programs of hooks, namespaces to join.
 */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { readSmallFile } from "../../linux/small_file.ts";
import type { Hook, RuntimeConfig } from "../../oci/bundle/config.ts";
import { HOOK_KINDS } from "../../oci/bundle/config.ts";
import { ConfigError, type Fault, formatFault } from "../../oci/bundle/fault.ts";
import { scanJson } from "../../oci/bundle/json_scan.ts";
import { isBindMount } from "../../oci/bundle/mounts.ts";
import { inspectConfig } from "../../oci/bundle/parse.ts";
import { PATH_BYTES_MAX } from "../../oci/bundle/schema.ts";
import { DOCUMENT_BYTES_MAX, show } from "../../oci/json.ts";
import { bundleFilter } from "../../runtime/security/bundle_filter.ts";
import { RuntimeError } from "./context.ts";
import { CONFIG_FILE } from "./starter_config.ts";

/** A fault with the line that says it. */
export interface BundleFault extends Fault {
  readonly line: string;
}

/**
 * Every fault of the bundle in `directory`.
 * @throws {RuntimeError} when there is no such bundle, or no file that can be read.
 */
export async function checkBundle(directory: string, configFile?: string): Promise<readonly BundleFault[]> {
  const path = resolve(directory, configFile ?? CONFIG_FILE);
  const bytes = readConfig(path);
  const { config, faults } = inspectConfig(bytes);
  return [...faults, ...duplicateFaults(bytes), ...machineFaults(resolve(directory), config)].map(
    (fault) => ({ ...fault, line: formatFault(fault) }),
  );
}

/** Looks before reading: opening a FIFO would wait, and a large file would be read first. */
function readConfig(path: string): Uint8Array {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile()) {
    throw new RuntimeError(`Cannot read "${path}": it is no regular file`);
  }
  if (stats !== undefined && stats.size > DOCUMENT_BYTES_MAX) {
    throw new RuntimeError(
      `Cannot read "${path}": it has ${stats.size} bytes, at most ${DOCUMENT_BYTES_MAX} are read`,
    );
  }
  const bytes = stats === undefined ? undefined : readSmallFile(path);
  if (bytes !== undefined) return bytes;
  throw new RuntimeError(`Cannot read "${path}": there is no such file`, {
    hint: "Name the directory that holds config.json with --bundle",
  });
}

/** JSON leaves open which of two equal keys counts, so that another program may have checked the other one. */
function duplicateFaults(bytes: Uint8Array): readonly Fault[] {
  const { duplicates } = scanJson(new TextDecoder().decode(bytes));
  const message = "it is given twice in one object; the last one counts";
  return duplicates.map((path) => ({ path, message, section: "config.md" }));
}

/** What has a fault of its own is not in `config`. */
function machineFaults(bundle: string, config: Partial<RuntimeConfig>): readonly Fault[] {
  return [
    ...rootFaults(bundle, config),
    ...mountFaults(bundle, config),
    ...hookFaults(config),
    ...namespaceFaults(config),
    ...seccompFaults(config),
  ];
}

function rootFaults(bundle: string, { root }: Partial<RuntimeConfig>): readonly Fault[] {
  if (root === undefined) return [];
  const path = resolve(bundle, root.path);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return [];
  return [{ path: "root.path", message: `${shown(path)} is no directory`, section: "config.md#root" }];
}

function mountFaults(bundle: string, { mounts = [] }: Partial<RuntimeConfig>): readonly Fault[] {
  return mounts.flatMap((mount, index) => {
    if (!isBindMount(mount) || exists(resolve(bundle, mount.source ?? ""))) return [];
    const message = `${shown(mount.source)} does not exist on this machine`;
    return [{ path: `mounts[${index}].source`, message, section: "config.md#mounts" }];
  });
}

/** Hooks that run in the container's root are found there, not here: config.md#posix-platform-hooks. */
const IN_CONTAINER = new Set(["startContainer"]);

function hookFaults({ hooks = {} }: Partial<RuntimeConfig>): readonly Fault[] {
  const kinds = HOOK_KINDS.filter((kind) => !IN_CONTAINER.has(kind));
  return kinds.flatMap((kind) =>
    (hooks[kind] ?? []).flatMap((hook, index) => hookFault(hook, `hooks.${kind}[${index}].path`)),
  );
}

function hookFault(hook: Hook, path: string): readonly Fault[] {
  try {
    accessSync(hook.path, constants.X_OK);
    return [];
  } catch {
    // Whatever the reason is, it will not run.
    const message = `${shown(hook.path)} cannot be executed on this machine`;
    return [{ path, message, section: "config.md#posix-platform-hooks" }];
  }
}

function namespaceFaults({ linux }: Partial<RuntimeConfig>): readonly Fault[] {
  return (linux?.namespaces ?? []).flatMap(({ path }, index) => {
    if (path === undefined || exists(path)) return [];
    const message = `${shown(path)} does not exist on this machine`;
    return [{ path: `linux.namespaces[${index}].path`, message, section: "config-linux.md#namespaces" }];
  });
}

function seccompFaults({ linux }: Partial<RuntimeConfig>): readonly Fault[] {
  if (linux?.seccomp === undefined) return [];
  try {
    bundleFilter(linux.seccomp);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    // A filter that is too long, and a number in a form that only the compiler knows.
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    return [{ path: "linux.seccomp", message: error.message, section: "config-linux.md#seccomp" }];
  }
}

/** A path whole, and without anything that a terminal would obey. */
const shown = (path: string | undefined): string => show(path, PATH_BYTES_MAX);

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
