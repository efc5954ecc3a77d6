/**
 * What other runtimes are known not to do, so that the same tests can run with them: titles of tests under the reason. A
 * test that is listed here and passes is an error.
 */
import type { RuntimeName } from "../helpers/oci_runtime.ts";

/** The versions that the tables are for: those of Debian 12. */
export const TESTED_VERSIONS: Readonly<Record<Exclude<RuntimeName, "bunker">, string>> = {
  crun: "1.8.1",
  runc: "1.1.5",
};

type Failures = Readonly<Record<string, readonly string[]>>;

const NEWER: Failures = {
  "memoryPolicy came with version 1.3": [
    "is that of the process",
    "of a mode that does not exist is refused",
    "a memory policy with a flag that does not exist is refused",
    "that the kernel refuses is an error",
  ],
  "netDevices came with version 1.3": [
    "are moved into the container under their names",
    "are renamed where a name is given",
    "get a name of the kernel's where it ends with %d",
    "keep their global addresses and are up",
    "whose new name is taken are refused",
    "that do not exist are refused",
    "without a network namespace of the container are refused",
    "are not moved back by delete",
  ],
  "that a failing poststart hook is an error came with version 1.3": [
    "as poststart is an error of start and stops the container",
  ],
  "execCPUAffinity came with version 1.2.1": ["execCPUAffinity final is where an exec runs"],
  "the options idmap and ridmap came with version 1.2": ["that idmap asks for and nothing gives are refused"],
  "scheduler and ioPriority came with version 1.1": [
    "scheduler sets policy and nice value",
    "scheduler with a policy that does not exist is refused",
    "ioPriority sets class and priority",
    "ioPriority with a class that does not exist is refused",
  ],
  "burst came with version 1.1": ["burst is set where the kernel has it", "burst above the quota is refused"],
  "a limit of 0 was taken for none until version 1.3": ["limit of 0 processes is one"],
};

/** Both runtimes share these. */
const BOTH: Failures = {
  "the programs that call runtimes expect it to be killed and deleted": [
    "delete of a created container is an error without effect",
  ],
  "the kernel's refusal is an error": ["that cannot be given are a warning and no error"],
  "the warning is not printed": ["as poststop is a warning, and the next ones run"],
  "the failure is not told to start": [
    "as startContainer is an error of start, and the program does not run",
  ],
  "not checked": [
    "of one type given twice are refused",
    "whose place holds another file are refused",
    "but there, without a resctrl file system, is refused too",
    "without a resctrl file system is refused",
    "that are not absolute are refused",
    "that are not absolute are refused when they are read-only",
    "a personality with a flag that does not exist is refused",
    "is a rule without names",
    "is metadata for a listener that is not named",
    "without a time namespace is refused",
  ],
  "it writes another status": ["the state that hooks get tells where the container is"],
};

const CRUN: Failures = {
  "there is no such command": [
    "names versions that config.json may have",
    "has no property that the specification does not define",
    "names hooks that are run",
    "names mount options that are known",
    "has annotations that are strings under names",
    "names namespaces that are known",
    "names capabilities that are known",
    "names actions, operators and architectures of seccomp that are known",
    "names flags of seccomp that are supported",
    "says that mappings of mounts are known",
    "names memory policies that are known",
  ],
  "hooks of the container run when start has returned": ["startContainer hooks have run when start returns"],
  "the state is another one inside": ["startContainer hooks get the state on stdin"],
  "SIGPIPE ends it": ["hooks that do not read their state are no error"],
  "a container that fails in create is gone before its hooks": [
    "as prestart stops create, and the poststop hooks run",
    "as createRuntime stops create, and the poststop hooks run",
    "as createContainer stops create, and the poststop hooks run",
  ],
  "it knows versions below 1.1 only": ["accepts every version 1.x"],
  "it asks the kernel in a way that does not know iversion": ["that are required are all accepted"],
  "flags are added and never taken away": ["that are said last count"],
  "the root's propagation is set after that of the mounts": ["of propagation set that of the mount"],
  "it does not know the option": ["with nosymfollow stop symbolic links"],
  "a time namespace ends it": ["is that of each clock", "is none when none is given"],
  "the group of another container is taken and emptied": [
    "a group that holds processes of others is refused or shared, never emptied",
  ],
  "groups stay when create fails": ["a group that could not be set up is removed again"],
  "-1 is written as it is": ["limit of -1 processes is none"],
  "it connects although nobody asks": ["is not asked when no action is a notification"],
  "it sends version 0.2.0": ["gets one state with the descriptor, and the connection is closed"],
  "unknown names are dropped without a word": ["that are not known are a warning and no error"],
  "not checked": [
    "refuses ids that are no ids",
    "refuses a cwd that is not absolute",
    "that are no map are refused",
    "values of another type are refused",
    "hooks with a timeout that is not above zero are refused",
    "kill refuses a signal that does not exist",
    "listed twice are refused",
    "devices of a type that does not exist are refused",
    "none of the specification's is refused",
    "limit that is no number is refused",
    "swappiness out of bounds is refused",
    "refuses limits of RDMA",
  ],
};

const RUNC: Failures = {
  "mappings of mounts came with version 1.2 of runc": [
    "change the owners that a container without a user namespace sees",
    "are those of the container where idmap names none",
    "for users without those for groups are refused",
    "for groups without those for users are refused",
    "says that mappings of mounts are known",
  ],
  "poststart hooks run in create": ["hooks of each kind run in the operation that they belong to"],
  "it knows the option defaults as one of the file system": [
    "that are required are all accepted",
    "names mount options that are known",
  ],
  "the mode of the directory below is kept": ["pass options that are not known on to the file system"],
  "time namespaces came with version 1.2 of runc": ["is that of each clock", "is none when none is given"],
  "domainname came with version 1.2 of runc": ["is what processes inside see"],
  "personality came with version 1.2 of runc": [
    "LINUX32 shows a processor of 32 bits",
    "of a domain that does not exist is refused",
  ],
  "flags of seccomp came with version 1.2 of runc": ["takes the flags that the specification lists"],
  "cpu.idle came with version 1.2 of runc": ["idle is set where the kernel has it"],
  "the propagation ends with the pivot": [
    "shared makes the root's mount a peer group of its own",
    "unbindable makes the root's mount one that cannot be bound",
  ],
  "it wants mappings for a joined namespace": ["are not needed for a namespace that is joined"],
  "memoryPolicy is not announced": ["names memory policies that are known"],
  "not checked": [
    "refuses a configuration without a version",
    "refuses a version of another major number",
    "refuses a version that is no semantic version",
    "without a path are refused",
    "whose path is no absolute one are refused",
    "with an access that does not exist is refused",
    "is a default error number for an action that has none",
    "is an error number for an action that has none",
  ],
};

/** Where bunker does something else on purpose. */
const BUNKER: Failures = {
  "as runc and crun, whose callers expect a created container to be killed and deleted": [
    "delete of a created container is an error without effect",
  ],
};

/** Tests that cannot be run with a runtime at all. */
const CANNOT_RUN: Readonly<Record<RuntimeName, Failures>> = {
  bunker: {},
  crun: { "it hangs until the group is thawed": ["a frozen group is refused"] },
  runc: {},
};

const TABLES: Readonly<Record<RuntimeName, readonly Failures[]>> = {
  bunker: [BUNKER],
  crun: [NEWER, BOTH, CRUN],
  runc: [NEWER, BOTH, RUNC],
};

/** Why a test is expected to fail with a runtime; undefined when it is expected to pass. */
export function knownFailure(name: RuntimeName, title: string): string | undefined {
  return TABLES[name].map((table) => reasonIn(table, title)).find((reason) => reason !== undefined);
}

/** Why a test is not run with a runtime. */
export function whyNotRun(name: RuntimeName, title: string): string | undefined {
  return reasonIn(CANNOT_RUN[name], title);
}

/** All titles in the tables. */
export function listedTitles(): readonly string[] {
  return [...Object.values(TABLES).flat(), ...Object.values(CANNOT_RUN)].flatMap((table) =>
    Object.values(table).flat(),
  );
}

function reasonIn(table: Failures, title: string): string | undefined {
  return Object.entries(table).find(([, titles]) => titles.includes(title))?.[0];
}
