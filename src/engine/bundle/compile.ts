/** From a bundle and what was found of the host to the executable of its program. */
import { CLONE_NEWNS, CLONE_NEWUSER } from "../../linux/abi/sched.ts";
import type { Linux } from "../../oci/bundle/config.ts";
import type { BundleFds, BundleHost } from "../../runtime/bundle_plan.ts";
import { type NamespacePlan, separateFlags } from "../../runtime/namespaces.ts";
import type { BundleRootHost } from "../../runtime/rootfs/bundle_host.ts";
import type { SeccompListener } from "../../runtime/security/bundle_filter.ts";
import type { Launch } from "./launch.ts";
import { processHostOf } from "./process_host.ts";
import { type CompiledProgram, obtainProgram } from "./program_cache.ts";
import { bundleTexts, programPlace } from "./program_key.ts";

/** What the program is planned from besides the launch. */
export interface CompileInputs {
  readonly fds: BundleFds;
  readonly root: BundleRootHost;
  readonly keptFds: readonly [first: number, last: number];
  readonly engineJoinsCgroup: boolean;
}

/** A compiled program. */
export interface CompiledBundle extends CompiledProgram {
  /** Where notifications of the filter go. */
  readonly listener: SeccompListener | undefined;
}

/** Compiles the program, or takes a kept one. @throws {UsageError} {ConfigError} for what cannot be honoured. */
export async function compileBundle(launch: Launch, inputs: CompileInputs): Promise<CompiledBundle> {
  const { config } = launch.bundle;
  const warnings: string[] = [];
  const host = await hostOf(launch, inputs, (message) => warnings.push(message));
  const compiled = await obtainProgram({
    place: programPlace(launch, host),
    texts: bundleTexts(host, config.process),
    plan: async () => (await import("./plan_program.ts")).planProgram(config, host),
    warnings,
  });
  return { ...compiled, listener: host.process.filter?.listener };
}

/** What of a launch the program depends on. */
export type PlannedLaunch = Pick<Launch, "id" | "bundle" | "options" | "namespaces" | "userNamespace"> &
  // Without it nothing is kept.
  Partial<Pick<Launch, "context">>;

/** What of the root is known before anything is opened for it. */
export function rootRequestOf({ bundle, options, namespaces, userNamespace }: PlannedLaunch) {
  const user = namespaces.joins.find(({ flag }) => flag === CLONE_NEWUSER);
  return {
    bundle: bundle.directory,
    mountNamespace: (separateFlags(namespaces) & CLONE_NEWNS) !== 0,
    userNamespace,
    noPivot: options.noPivot,
    ...(user?.path === undefined ? {} : { userNamespacePath: user.path }),
  };
}

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
