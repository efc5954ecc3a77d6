/** Plans the program of a container, starts it with all that it inherits, and answers what it asks. */
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_RDONLY, O_RDWR, S_IFIFO } from "../../linux/abi/fcntl.ts";
import { CLONE_NEWUSER } from "../../linux/abi/sched.ts";
import { call, cstr } from "../../linux/call.ts";
import { createMemfd, openSharedPage } from "../../linux/memfd.ts";
import { report } from "../../linux/program_core.ts";
import { socketpair } from "../../linux/socket_pair.ts";
import { type CgroupFds, inheritedFd } from "../../linux/spawn.ts";
import { connectUnix } from "../../linux/unix_socket.ts";
import type { BundleFds } from "../../runtime/bundle_plan.ts";
import { type StartedBundle, startBundle } from "../../runtime/bundle_start.ts";
import type { MadeCgroup } from "../../runtime/cgroup/make.ts";
import type { NamespacePlan } from "../../runtime/namespaces.ts";
import { cgroupViewOf } from "../../runtime/rootfs/cgroup_view.ts";
import { type PreparedRoot, prepareBundleRoot } from "../../runtime/rootfs/prepare_root.ts";
import { type CompiledBundle, compileBundle, rootRequestOf, viewerOf } from "./compile.ts";
import { RuntimeError } from "./context.ts";
import { Inheritance } from "./inheritance.ts";
import type { Launch, StateFiles } from "./launch.ts";
import { answersOf, type Documents } from "./launch_answers.ts";

/** What has been made for the container before its program. */
export interface Made {
  readonly cgroup: MadeCgroup;
  readonly files: StateFiles;
}

/** Starts the program and serves it until the container is complete. */
export async function startProgram(launch: Launch, made: Made): Promise<StartedBundle> {
  const { namespaces } = launch;
  using inheritance = new Inheritance();
  const documents = openDocuments(launch, inheritance);
  // The first ones stay open until the command is executed.
  const keptFds = [inheritedFd(0), inheritedFd(inheritance.fds.length)] as const;
  const fds = inheritRest(launch, { namespaces, inheritance, documents });
  using root = await prepareRoot(launch, { inheritance, made });
  const group = groupOf(made.cgroup);
  const joinFds = group === undefined ? made.cgroup.joinFds : [];
  const compiled = await compileBundle(launch, {
    fds: {
      ...fds,
      cgroup: joinFds.map((_, index) =>
        inheritedFd(inheritance.fds.length + root.inherit.length + 1 + index),
      ),
    },
    root: root.host,
    keptFds,
    engineJoinsCgroup: made.cgroup.admit !== undefined,
  });
  const page = openSharedPage(`${launch.directory.path}/report`, report.size);
  return await startBundle({
    executable: compiled.executable,
    namespaces: namespaces.staged ? 0 : namespaces.made,
    mapped: !namespaces.staged && (namespaces.made & CLONE_NEWUSER) !== 0,
    staged: namespaces.staged,
    sockets: socketpair(),
    inherit: [...inheritance.fds, ...root.inherit, ...joinFds],
    cgroup: group,
    page,
    preserveFds: launch.options.preserveFds,
    programFile: `${launch.directory.path}/program`,
    meanwhile: () => meanwhile(launch, made, compiled),
    answers: answersOf(launch, { ...made, documents, page }),
  });
}

/** What can wait until the program is on its way: writing things down, and loading what comes next. */
async function meanwhile({ mode, context }: Launch, made: Made, compiled: CompiledBundle): Promise<void> {
  const { lateSteps, listener, warnings } = compiled;
  for (const warning of warnings) context.log("warning", warning);
  made.files.write({ entered: true, lateSteps, ...(listener === undefined ? {} : { listener }) });
  if (!mode.waits) await loadRest(made.cgroup.place.version);
  compiled.keep?.();
}

/** What `run` does when the command runs, and when it has ended. */
async function loadRest(cgroupVersion: number): Promise<void> {
  await Promise.all([import("./supervise.ts"), import("./delete.ts")]);
  if (cgroupVersion === 0) return;
  await Promise.all([import("../../runtime/cgroup/processes.ts"), import("../../runtime/cgroup/remove.ts")]);
}

/** On version 2 the program starts in its group. */
function groupOf({ directoryFd, joinFds }: MadeCgroup): CgroupFds | undefined {
  const [join] = joinFds;
  return directoryFd === undefined || join === undefined ? undefined : { directory: directoryFd, join };
}

/** What the program reads until the command runs: the fifo of `start`, and the state for hooks. */
function openDocuments(
  { bundle, directory, mode }: Launch,
  inheritance: Inheritance,
): Documents & { readonly fifo: number | undefined } {
  const { hooks = {} } = bundle.config;
  const fifo = mode.waits ? inheritance.add(openFifo(`${directory.path}/exec.fifo`)) : undefined;
  const start = (hooks.startContainer ?? []).length > 0 ? createMemfd("state") : undefined;
  const create = (hooks.createContainer ?? []).length > 0 ? createMemfd("state") : undefined;
  return {
    fifo,
    start: start === undefined ? undefined : { own: start, inherited: inheritance.add(start) },
    create: create === undefined ? undefined : { own: create, inherited: inheritance.add(create) },
  };
}

/** Open for writing too, the fifo has no end before `start` has come; opening it does not wait. */
function openFifo(path: string): number {
  call("mknodat", AT_FDCWD, cstr(path), S_IFIFO | 0o600, 0);
  return call("openat", AT_FDCWD, cstr(path), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

interface Inherited {
  readonly namespaces: NamespacePlan;
  readonly inheritance: Inheritance;
  readonly documents: Documents & { readonly fifo: number | undefined };
}

function inheritRest(
  { options }: Launch,
  { namespaces, inheritance, documents }: Inherited,
): Omit<BundleFds, "cgroup"> {
  const joins = namespaces.joins.map(({ path }) => inheritance.add(openNamespace(path)));
  const { consoleSocket } = options;
  const socket = inheritedFd(0);
  return {
    socket,
    joins,
    fifo: documents.fifo,
    console: consoleSocket === undefined ? socket : inheritance.add(connectUnix(consoleSocket)),
    createState: documents.create?.inherited,
    startState: documents.start?.inherited,
  };
}

function openNamespace(path: string): number {
  try {
    return call("openat", AT_FDCWD, cstr(path), O_RDONLY | O_CLOEXEC);
  } catch (error) {
    throw new RuntimeError(`cannot join the namespace "${path}"`, { cause: error });
  }
}

interface RootInputs {
  readonly inheritance: Inheritance;
  readonly made: Made;
}

function prepareRoot(launch: Launch, { inheritance, made }: RootInputs): Promise<PreparedRoot> {
  return prepareBundleRoot(launch.bundle.config, {
    ...rootRequestOf(launch),
    cgroup: cgroupViewOf(made.cgroup.place, viewerOf(launch)),
    firstInherited: inheritance.fds.length + 1,
    programFile: `${launch.directory.path}/program`,
  });
}
