/**
 * Who the command is: capabilities(7), credentials(7). The bounding set goes first, while CAP_SETPCAP is held; then
 * the groups, the group, the user; then the sets themselves. Inheritable and ambient sets stay empty: a non-empty
 * inheritable set is CVE-2022-24769.
 */
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
} from "../../linux/abi/sched.ts";
import type { Program } from "../../linux/program.ts";
import { reportAddress } from "../../linux/program_core.ts";
import type { Argument } from "../../linux/step.ts";
import type { Process, User } from "../spec/config.ts";
import { identityLayout } from "./identity.ts";

/** _LINUX_CAPABILITY_VERSION_3 of capset(2): two 32-bit halves for each set. */
const CAPABILITY_VERSION = 0x20080522;

/** Name of the section that fails for ids which are not mapped: engine/container_error.ts. */
export const SECTION_IDENTITY = "become the user";

/** What the credentials depend on besides the process. */
export interface CredentialsPlan {
  readonly process: Process;
  /** Bounding set that the program begins with. */
  readonly hostBounding: bigint;
  /** setgroups(2) is denied in a user namespace that maps a single group without privilege. */
  readonly setgroupsAllowed: boolean;
}

/** Takes on user, groups and capabilities. */
export function planCredentials(program: Program, plan: CredentialsPlan): void {
  const { process } = plan;
  program.section("drop capabilities");
  const surplus = plan.hostBounding & ~process.capabilities;
  for (let capability = 0; surplus >> BigInt(capability) !== 0n; capability++) {
    if ((surplus >> BigInt(capability)) & 1n) program.prctl(PR_CAPBSET_DROP, capability);
  }
  program.prctl(PR_SET_KEEPCAPS, 1);
  planIdentity(program, process.user, plan.setgroupsAllowed);
  planCapabilitySets(program, process);
  if (process.noNewPrivileges) program.section("forbid new privileges").prctl(PR_SET_NO_NEW_PRIVS, 1);
}

function planIdentity(program: Program, user: User | undefined, setgroupsAllowed: boolean): void {
  program.section(SECTION_IDENTITY);
  const { uid, gid, count, list } = user === undefined ? lateIdentity(program) : fixedIdentity(user);
  if (setgroupsAllowed) program.setgroups(count, list);
  program.setresgid(gid, gid, gid);
  program.setresuid(uid, uid, uid);
}

interface IdentityArguments {
  readonly uid: Argument;
  readonly gid: Argument;
  readonly count: Argument;
  readonly list: Argument;
}

function fixedIdentity({ uid, gid, additionalGids = [] }: User): IdentityArguments {
  // The primary group belongs to the supplementary ones too: CVE-2022-36109.
  const groups = Uint32Array.from(new Set([gid, ...additionalGids]));
  return { uid, gid, count: groups.length, list: new Uint8Array(groups.buffer) };
}

/** The parent has looked the user up and written the ids into the report page. */
function lateIdentity(program: Program): IdentityArguments {
  const word = (offset: number) => program.field(reportAddress + offset, 0, -1).result;
  return {
    uid: word(identityLayout.uid),
    gid: word(identityLayout.gid),
    count: word(identityLayout.groupCount),
    list: reportAddress + identityLayout.groups,
  };
}

/**
 * The effective set of a user other than root is empty after execve(2) whatever is set here; docker's containers
 * see the same. Root's permitted set is what the bounding set leaves.
 */
function planCapabilitySets(program: Program, { capabilities }: Process): void {
  program.section("set capabilities");
  const low = Number(capabilities & 0xffffffffn);
  const high = Number(capabilities >> 32n);
  const header = new Uint8Array(Uint32Array.of(CAPABILITY_VERSION, 0).buffer);
  const sets = new Uint8Array(Uint32Array.of(low, low, 0, high, high, 0).buffer);
  program.capset(header, sets);
  program.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL).ignoreErrors();
}
