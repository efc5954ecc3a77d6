/**
 * `check`: every fault of a bundle, before anything is made: what config.json says (oci/bundle), the seccomp profile,
 * and what it names on this machine: the root, sources of bind mounts, programs of hooks, namespaces to join.
 */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { readSmallFile } from "../../linux/small_file.ts";
import type { Hook, RuntimeConfig } from "../../oci/bundle/config.ts";
import { HOOK_KINDS } from "../../oci/bundle/config.ts";
import { type Fault, formatFault } from "../../oci/bundle/fault.ts";
import { isBindMount } from "../../oci/bundle/mounts.ts";
import { checkConfig, parseConfig } from "../../oci/bundle/parse.ts";
import { parseSeccompProfile } from "../../runtime/security/seccomp_profile.ts";
import { RuntimeError } from "./context.ts";
import { CONFIG_FILE } from "./starter_config.ts";

/** A fault with the line that says it. */
export interface BundleFault extends Fault {
  readonly line: string;
}

/**
 * Every fault of the bundle in `directory`; none of its parts on the machine is looked at while the configuration
 * itself is not valid.
 * @throws {RuntimeError} when there is no such bundle.
 */
export async function checkBundle(directory: string, configFile?: string): Promise<readonly BundleFault[]> {
  const path = resolve(directory, configFile ?? CONFIG_FILE);
  const bytes = readSmallFile(path);
  if (bytes === undefined) {
    throw new RuntimeError(`Cannot read "${path}": there is no such file`, {
      hint: "Name the directory that holds config.json with --bundle",
    });
  }
  const faults = checkConfig(bytes);
  const all = faults.length > 0 ? faults : machineFaults(resolve(directory), parseConfig(bytes));
  return all.map((fault) => ({ ...fault, line: formatFault(fault) }));
}

function machineFaults(bundle: string, config: RuntimeConfig): readonly Fault[] {
  return [
    ...rootFaults(bundle, config),
    ...mountFaults(bundle, config),
    ...hookFaults(config),
    ...namespaceFaults(config),
    ...seccompFaults(config),
  ];
}

function rootFaults(bundle: string, { root }: RuntimeConfig): readonly Fault[] {
  const path = resolve(bundle, root?.path ?? "");
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return [];
  return [{ path: "root.path", message: `"${path}" is no directory`, section: "config.md#root" }];
}

function mountFaults(bundle: string, { mounts = [] }: RuntimeConfig): readonly Fault[] {
  return mounts.flatMap((mount, index) => {
    if (!isBindMount(mount) || exists(resolve(bundle, mount.source ?? ""))) return [];
    const message = `"${mount.source}" does not exist on this machine`;
    return [{ path: `mounts[${index}].source`, message, section: "config.md#mounts" }];
  });
}

/** Hooks that run in the container's root are found there, not here: config.md#posix-platform-hooks. */
const IN_CONTAINER = new Set(["startContainer"]);

function hookFaults({ hooks = {} }: RuntimeConfig): readonly Fault[] {
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
    const message = `"${hook.path}" cannot be executed on this machine`;
    return [{ path, message, section: "config.md#posix-platform-hooks" }];
  }
}

function namespaceFaults({ linux }: RuntimeConfig): readonly Fault[] {
  return (linux?.namespaces ?? []).flatMap(({ path }, index) => {
    if (path === undefined || exists(path)) return [];
    const message = `"${path}" does not exist on this machine`;
    return [{ path: `linux.namespaces[${index}].path`, message, section: "config-linux.md#namespaces" }];
  });
}

function seccompFaults({ linux }: RuntimeConfig): readonly Fault[] {
  if (linux?.seccomp === undefined) return [];
  try {
    parseSeccompProfile(linux.seccomp);
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ path: "linux.seccomp", message, section: "config-linux.md#seccomp" }];
  }
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
