/**
 * Who a process of a bundle is: user, groups and the five capability sets exactly as config.md#linux-process gives them,
 * and the umask. The last thing that takes privilege.
 */
import type { Program } from "../../linux/program.ts";
import type { Process } from "../../oci/bundle/config.ts";
import { decideCapabilities } from "./capability_sets.ts";
import { planBecome, planSets } from "./credentials.ts";
import { refuse } from "./refusal.ts";

/** Umask of a process whose configuration says nothing, as with runc and crun. */
const UMASK = 0o022;

/** What the identity depends on besides the process. */
export interface UserHost {
  /** Bounding set that the program begins with: every capability in a user namespace of its own. */
  readonly hostBounding: bigint;
  /** False where a user namespace maps a single group without privilege: user_namespaces(7). */
  readonly setgroupsAllowed: boolean;
  /** Capabilities that are held beyond the configured ones until {@link planFinalCapabilities} [none]. */
  readonly kept?: bigint;
}

/**
 * Takes on user, groups, capabilities and umask.
 * @returns what is left out, to be logged as warnings.
 * @throws {ConfigError} for a field that cannot be honoured.
 */
export function planUserProcess(program: Program, process: Process, host: UserHost): readonly string[] {
  const { user } = process;
  if (!host.setgroupsAllowed && (user.additionalGids ?? []).length > 0) {
    const field = { path: "process.user.additionalGids", section: "config.md#posix-platform-user" };
    refuse(field, "this user namespace maps a single group, and has given up setgroups(2)");
  }
  const { sets, warnings } = decideCapabilities(process.capabilities, host.hostBounding);
  const { kept = 0n } = host;
  const held = { ...sets, permitted: sets.permitted | kept, effective: sets.effective | kept };
  planBecome(program, { ...host, sets: held, user });
  program.section("set the umask").umask(user.umask ?? UMASK);
  return warnings.map((warning) => `process.capabilities: ${warning}`);
}

/** Gives up what was kept: nothing but capset(2) is called. */
export function planFinalCapabilities(program: Program, process: Process, { hostBounding }: UserHost): void {
  planSets(program, decideCapabilities(process.capabilities, hostBounding).sets);
}
