/**
 * Namespaces of a container: which are made, which are joined, which stay the runtime's (config-linux.md#namespaces).
 * Most containers get all of theirs from one clone3(2). Four cases need a process that comes before the container's:
 *
 *   - a PID namespace is joined, or a time namespace made or joined: both only take children in (setns(2), unshare(2))
 *   - a user namespace is joined: only from inside may the others be made that it is to own
 *   - namespaces are joined beside a new user namespace, which would have no right to do it
 *
 *     first process   joins what needs the runtime's rights ─▶ enters the user namespace ─▶ joins the rest ─▶
 *                     unshare(2) of the others ─▶ clone(2) as its own sibling ─▶ ends
 *     second process  is the container's
 */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  SIGCHLD,
} from "../linux/abi/sched.ts";
import type { Program } from "../linux/program.ts";
import { report, reportAddress } from "../linux/program_core.ts";
import type { Linux, NamespaceType } from "../oci/bundle/config.ts";
import { ask } from "./requests.ts";

/** The kernel's flag of each namespace of the specification. */
export const NAMESPACE_FLAGS: Readonly<Record<NamespaceType, number>> = {
  time: CLONE_NEWTIME,
  mount: CLONE_NEWNS,
  cgroup: CLONE_NEWCGROUP,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
};

/** A namespace to be joined. */
export interface Join {
  readonly flag: number;
  readonly path: string;
}

/** What becomes of each namespace. */
export interface NamespacePlan {
  /** CLONE_NEW* flags of namespaces that are made, without the control group's. */
  readonly made: number;
  readonly joins: readonly Join[];
  /** A namespace of control groups is made once the container's group is joined. */
  readonly cgroup: boolean;
  /** Two processes are needed. */
  readonly staged: boolean;
}

/** Sorts the namespaces of a configuration. */
export function namespacePlanOf({ namespaces = [] }: Linux): NamespacePlan {
  let made = 0;
  const joins: Join[] = [];
  for (const { type, path = "" } of namespaces) {
    const flag = NAMESPACE_FLAGS[type];
    if (path === "") made |= flag;
    else joins.push({ flag, path });
  }
  const joined = joins.reduce((flags, { flag }) => flags | flag, 0);
  const staged =
    (joined & (CLONE_NEWPID | CLONE_NEWUSER)) !== 0 ||
    ((joined | made) & CLONE_NEWTIME) !== 0 ||
    ((made & CLONE_NEWUSER) !== 0 && joined !== 0);
  const cgroup = (made & CLONE_NEWCGROUP) !== 0;
  return { made: made & ~CLONE_NEWCGROUP, joins, cgroup, staged };
}

/** The flags of a plan's namespaces that differ from the runtime's own. */
export const separateFlags = ({ made, joins }: NamespacePlan): number =>
  joins.reduce((flags, { flag }) => flags | flag, made);

/** Joins namespaces by descriptors, for a container of a single process. */
export function planJoins(program: Program, joins: ReadonlyArray<readonly [flag: number, fd: number]>): void {
  program.section("join namespaces");
  for (const [flag, fd] of joins) program.setns(fd, flag);
}

/** What the first process needs besides the plan. */
export interface FirstProcess {
  readonly plan: NamespacePlan;
  /** Descriptor in the program of each join's namespace, in the order of `plan.joins`. */
  readonly joinFds: readonly number[];
  readonly socket: number;
  /** The engine writes offsets of clocks while the process waits. */
  readonly timeOffsets: boolean;
}

/** The steps of the first process; what follows runs in the second. */
export function planFirstProcess(program: Program, first: FirstProcess): void {
  const { plan, socket } = first;
  const joins = plan.joins.map(({ flag }, index) => [flag, first.joinFds[index] as number] as const);
  const user = joins.find(([flag]) => flag === CLONE_NEWUSER);
  const others = joins.filter((join) => join !== user);
  const entersUser = user !== undefined || (plan.made & CLONE_NEWUSER) !== 0;
  const rest = entersUser ? planEarlyJoins(program, others) : [];
  if (user !== undefined) planJoins(program, [user]);
  if ((plan.made & CLONE_NEWUSER) !== 0) {
    program.section("make the user namespace").unshare(CLONE_NEWUSER);
    ask(program, socket, "m");
  }
  if (entersUser) planNamespaceRoot(program);
  for (const planLateJoin of rest) planLateJoin();
  if (!entersUser) planJoins(program, others);
  program.section("make namespaces");
  const made = plan.made & ~CLONE_NEWUSER;
  if (made !== 0) program.unshare(made);
  if (first.timeOffsets) ask(program, socket, "o");
  planSecondProcess(program);
}

/**
 * Joins before the user namespace is entered what the runtime's own rights allow. @returns for each a function that
 * adds a second try, for what the user namespace itself owns.
 */
function planEarlyJoins(
  program: Program,
  joins: ReadonlyArray<readonly [flag: number, fd: number]>,
): ReadonlyArray<() => void> {
  program.section("join namespaces");
  return joins.map(([flag, fd]) => {
    const done = program.variable("joined");
    const refused = program.label();
    const next = program.label();
    program.setns(fd, flag).onError(refused);
    program.add(1, 0).into(done).onSuccess(next);
    program.place(refused).add(0, 0).into(done);
    program.place(next);
    return () => {
      const joined = program.label();
      program.section("join namespaces").add(done, 0).onPositive(joined);
      program.setns(fd, flag);
      program.place(joined);
    };
  });
}

/** Ids of a process that enters a user namespace are unmapped until it takes others on. */
export function planNamespaceRoot(program: Program): void {
  program.section("become root of the user namespace").setresgid(0, 0, 0);
  program.setresuid(0, 0, 0);
}

/** The runtime is the parent of both, since it is the one to wait for the container. */
export function planSecondProcess(program: Program): void {
  const second = program.label();
  program.section("start the container's process");
  // The kernel leaves the id there: by a step of its own a first process that is killed, or frozen, after the call would not.
  const flags = CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD;
  program.clone(flags, 0, reportAddress + report.second).onZero(second);
  program.exit_group(0);
  program.place(second);
}

/** Joining a PID namespace takes in only children: another process is needed. */
export const needsSecond = (namespaces: number): boolean => (namespaces & CLONE_NEWPID) !== 0;
