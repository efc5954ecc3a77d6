/** From a bundle and what was found of the host to the executable of its program. */
import { CLONE_NEWUSER } from "../../linux/abi/sched.ts";
import { writeExecutable } from "../../linux/elf.ts";
import type { Executable } from "../../linux/spawn.ts";
import type { Linux } from "../../oci/bundle/config.ts";
import type { BundleFds, BundleHost } from "../../runtime/bundle_plan.ts";
import type { NamespacePlan } from "../../runtime/namespaces.ts";
import type { BundleRootHost } from "../../runtime/rootfs/bundle_host.ts";
import type { SeccompListener } from "../../runtime/security/bundle_filter.ts";
import type { Launch } from "./launch.ts";
import { processHostOf } from "./process_host.ts";
import { findProgram, keepProgram, programPlace } from "./program_cache.ts";
import type { LateStep } from "./state_file.ts";

/** What the program is planned from besides the launch. */
export interface CompileInputs {
  readonly fds: BundleFds;
  readonly root: BundleRootHost;
  readonly keptFds: readonly [first: number, last: number];
  readonly engineJoinsCgroup: boolean;
}

/** A compiled program. */
export interface CompiledBundle {
  readonly executable: Executable;
  readonly lateSteps: readonly LateStep[];
  /** Where notifications of the filter go. */
  readonly listener: SeccompListener | undefined;
  /** What of the configuration is left out. */
  readonly warnings: readonly string[];
  /** Keeps the program for the next container; undefined when it is kept, or nothing is. */
  readonly keep: (() => Promise<void>) | undefined;
}

/** Compiles the program, or takes a kept one. @throws {UsageError} {ConfigError} for what cannot be honoured. */
export async function compileBundle(launch: Launch, inputs: CompileInputs): Promise<CompiledBundle> {
  const { config } = launch.bundle;
  const warnings: string[] = [];
  const host = await hostOf(launch, inputs, (message) => warnings.push(message));
  const listener = host.process.filter?.listener;
  const place = programPlace(launch, host);
  const known = place === undefined ? undefined : findProgram(place, { host, process: config.process });
  const plan = async () => (await import("./plan_program.ts")).planProgram(config, host);
  if (known !== undefined) {
    const stepAt = async (address: number) => (await plan()).encoded.stepAt(address);
    const executable = { file: writeExecutable(known.bytes), stepAt };
    return { ...known, listener, executable, keep: undefined };
  }
  const { encoded, lateSteps } = await plan();
  const { bytes, slots, stepAt } = encoded;
  const kept = { bytes, slots, lateSteps, warnings };
  const texts = { host, process: config.process };
  const keep = place === undefined ? undefined : () => keepProgram(place, kept, texts);
  return { executable: { file: writeExecutable(bytes), stepAt }, lateSteps, warnings, listener, keep };
}

/** What of a launch the program depends on. */
export type PlannedLaunch = Pick<Launch, "id" | "bundle" | "options" | "namespaces" | "userNamespace"> &
  // Without it nothing is kept.
  Partial<Pick<Launch, "context">>;

/** What of the host the program depends on. */
export async function hostOf(
  launch: PlannedLaunch,
  inputs: CompileInputs,
  warn?: (message: string) => unknown,
): Promise<BundleHost> {
  const { config } = launch.bundle;
  const { hooks = {}, linux = {} } = config;
  const { namespaces } = launch;
  const { fds, root, engineJoinsCgroup } = inputs;
  return {
    id: launch.id,
    namespaces,
    fds,
    root,
    process: await processHostOf({
      process: config.process,
      linux,
      root: launch.context?.root,
      preserveFds: launch.options.preserveFds,
      keptFds: inputs.keptFds,
      userNamespace: launch.userNamespace,
      setgroupsAllowed: setgroupsAllowed(linux, namespaces),
      warn,
    }),
    noNewKeyring: launch.options.noNewKeyring,
    engineJoinsCgroup,
    asksForHooks:
      (hooks.prestart ?? []).length > 0 ||
      (hooks.createRuntime ?? []).length > 0 ||
      (hooks.createContainer ?? []).length > 0 ||
      Object.keys(linux.netDevices ?? {}).length > 0 ||
      linux.intelRdt !== undefined,
  };
}

/** A single group that is mapped without privilege takes setgroups(2) away: user_namespaces(7). */
const setgroupsAllowed = ({ gidMappings = [] }: Linux, { made }: NamespacePlan): boolean =>
  (made & CLONE_NEWUSER) === 0 ||
  process.geteuid?.() === 0 ||
  !(gidMappings.length === 1 && gidMappings[0]?.size === 1);

/** Who looks at control groups in this container. */
export const viewerOf = ({ bundle, context, userNamespace }: PlannedLaunch) => ({
  ownNamespace: (bundle.config.linux?.namespaces ?? []).some(({ type }) => type === "cgroup"),
  unprivileged: userNamespace || context?.rootless === true,
});
