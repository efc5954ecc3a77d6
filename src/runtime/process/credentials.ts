/**
 * Who the command is: capabilities(7), credentials(7). The bounding set goes first, while CAP_SETPCAP is held; then
 * the groups, the group, the user; then the sets themselves, the ambient one last, since each of its capabilities
 * has to be permitted and inheritable when it is raised. securebits are left as they are.
 */
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
} from "../../linux/abi/sched.ts";
import type { Program } from "../../linux/program.ts";
import { reportAddress } from "../../linux/program_core.ts";
import type { Argument } from "../../linux/step.ts";
import { capabilityWords } from "../security/capability.ts";
import type { Process, User } from "../spec/config.ts";
import type { CapabilitySets } from "./capability_sets.ts";
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
export function planCredentials(program: Program, { process, ...host }: CredentialsPlan): void {
  const { capabilities: all } = process;
  // Inheritable and ambient sets stay empty: a non-empty inheritable set is CVE-2022-24769.
  const sets = { bounding: all, permitted: all, effective: all, inheritable: 0n, ambient: 0n };
  planBecome(program, { ...host, sets, user: withPrimaryGroup(process.user) });
  if (process.noNewPrivileges) planNoNewPrivileges(program);
}

/** The primary group belongs to the supplementary ones too: CVE-2022-36109. For bundles their makers see to that. */
const withPrimaryGroup = (user: User | undefined): User | undefined =>
  user === undefined ? undefined : { ...user, additionalGids: [user.gid, ...(user.additionalGids ?? [])] };

/** Gives up what setuid files and file capabilities grant: PR_SET_NO_NEW_PRIVS(2const). */
export function planNoNewPrivileges(program: Program): void {
  program.section("forbid new privileges").prctl(PR_SET_NO_NEW_PRIVS, 1);
}

/** Who to become. */
export interface BecomePlan extends Omit<CredentialsPlan, "process"> {
  readonly sets: CapabilitySets;
  /** Undefined: in the report page, where the parent writes it. */
  readonly user: User | undefined;
}

/** Takes on exactly these sets, and the user with its groups. */
export function planBecome(
  program: Program,
  { sets, user, hostBounding, setgroupsAllowed }: BecomePlan,
): void {
  program.section("drop capabilities");
  const surplus = hostBounding & ~sets.bounding;
  for (let capability = 0; surplus >> BigInt(capability) !== 0n; capability++) {
    if ((surplus >> BigInt(capability)) & 1n) program.prctl(PR_CAPBSET_DROP, capability);
  }
  program.prctl(PR_SET_KEEPCAPS, 1);
  planIdentity(program, user, setgroupsAllowed);
  planCapabilitySets(program, sets);
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
  const groups = Uint32Array.from(new Set(additionalGids));
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
 * The effective set of a user other than root is what is ambient after execve(2), whatever is set here; docker's
 * containers see the same. Root's permitted set is what the bounding set leaves.
 */
function planCapabilitySets(program: Program, sets: CapabilitySets): void {
  planSets(program, sets);
  program.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL).ignoreErrors();
  for (let capability = 0; sets.ambient >> BigInt(capability) !== 0n; capability++) {
    if ((sets.ambient >> BigInt(capability)) & 1n) {
      program.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
    }
  }
}

/** capset(2): effective, permitted and inheritable set. */
export function planSets(program: Program, sets: CapabilitySets): void {
  program.section("set capabilities");
  const halves = [sets.effective, sets.permitted, sets.inheritable].map(capabilityWords);
  const header = new Uint8Array(Uint32Array.of(CAPABILITY_VERSION, 0).buffer);
  const data = Uint32Array.from([...halves.map(([low]) => low), ...halves.map(([, high]) => high)]);
  program.capset(header, new Uint8Array(data.buffer));
}
