/**
 * Who a process of a bundle is: user, groups and the five capability sets exactly as config.md#linux-process gives them,
 * and the umask. The last thing that takes privilege.
 */
import type { Program } from "../../linux/program.ts";
import type { Process } from "../../oci/bundle/config.ts";
import { decideCapabilities } from "./capability_sets.ts";
import { planBecome } from "./credentials.ts";
import { refuse } from "./refusal.ts";

/** Umask of a process whose configuration says nothing, as with runc and crun. */
const UMASK = 0o022;

/** What the identity depends on besides the process. */
export interface UserHost {
  /** Bounding set that the program begins with: every capability in a user namespace of its own. */
  readonly hostBounding: bigint;
  /** False where a user namespace maps a single group without privilege: user_namespaces(7). */
  readonly setgroupsAllowed: boolean;
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
  planBecome(program, { ...host, sets, user });
  program.section("set the umask").umask(user.umask ?? UMASK);
  return warnings.map((warning) => `process.capabilities: ${warning}`);
}
