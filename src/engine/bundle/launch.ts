/**
 * From a bundle to a container that is complete: its directory, its control group, its program, and the answers to what
 * the program asks meanwhile. `create` leaves it waiting for `start`; `run` lets it go on at once. Whatever fails here
 * takes everything away again; what a killed engine leaves is found by `delete`, since state.json names it beforehand.
 *
 *     engine                                          program
 *     directory, state.json (creating), config.json
 *     control group
 *     clone3, execveat ────────────────────────────▶  joins the group, namespaces, root
 *     id maps, clocks, systemd's group  ◀──────────▶  "m" "o" "c"
 *     hooks of the runtime              ◀──────────▶  "h"
 *                                                     hooks of its own, pivot_root, credentials
 *     state.json with the pid, pid file ◀──────────▶  "s", then waits for the fifo or goes on
 */
import { CLONE_NEWPID, CLONE_NEWUSER } from "../../linux/abi/sched.ts";
import { readProcessStat } from "../../linux/process_stat.ts";
import { writeSmallFile } from "../../linux/small_file.ts";
import type { HookKind, Linux } from "../../oci/bundle/config.ts";
import { ProgramEndedError, type StartedBundle } from "../../runtime/bundle_start.ts";
import { subtreeOwner } from "../../runtime/cgroup/delegate.ts";
import { makeCgroup } from "../../runtime/cgroup/make.ts";
import { type NamespacePlan, namespacePlanOf, separateFlags } from "../../runtime/namespaces.ts";
import { type Bundle, openBundle } from "./bundle.ts";
import { cgroupPlaceOf } from "./cgroup_place.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { startProgram } from "./launch_program.ts";
import { listenFds, withListenFds } from "./listen_fds.ts";
import { checkPreserved } from "./preserved_fds.ts";
import { StateDirectory } from "./state_directory.ts";
import { bootId, type StateFile, writeState } from "./state_file.ts";

/** How a container is created: the flags of runc's `create` and `run`. */
export interface LaunchOptions {
  /** Directory of the bundle; relative to the working directory. */
  readonly bundle: string;
  /** A configuration that stands elsewhere. */
  readonly configFile?: string;
  /** Socket that takes the terminal's master. */
  readonly consoleSocket?: string;
  /** Socket that takes a pidfd of the container's process. */
  readonly pidfdSocket?: string;
  readonly pidFile?: string;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly preserveFds: number;
}

/** What becomes of the container once it is complete. */
export interface LaunchMode {
  /** It waits for `start`. */
  readonly waits: boolean;
  /** The engine relays the terminal. */
  readonly relays: boolean;
}

/** A container that is complete; its directory is locked until it is disposed of. */
export interface Launched {
  readonly directory: StateDirectory;
  readonly file: StateFile;
  readonly linux: Linux;
  readonly started: StartedBundle;
}

/** What is known of a container while it is being made. */
export interface Launch {
  readonly id: string;
  readonly bundle: Bundle;
  readonly directory: StateDirectory;
  readonly options: LaunchOptions;
  readonly mode: LaunchMode;
  readonly context: RuntimeContext;
  readonly namespaces: NamespacePlan;
  /** The container is in a user namespace other than this one's. */
  readonly userNamespace: boolean;
}

/**
 * Makes container `id` from its bundle.
 * @throws {RuntimeError} {ConfigError} {CgroupError} with nothing left behind.
 */
export async function launchContainer(
  id: string,
  given: LaunchOptions,
  { mode, context }: { readonly mode: LaunchMode; readonly context: RuntimeContext },
): Promise<Launched> {
  const sockets = listenFds(process.env, process.pid);
  const bundle = withListenFds(openBundle(given.bundle, given.configFile), sockets);
  const options = { ...given, preserveFds: given.preserveFds + sockets };
  checkTerminal(bundle, options, mode);
  checkPreserved(options.preserveFds);
  const directory = StateDirectory.create(context.root, checkId(id));
  const namespaces = namespacePlanOf(bundle.config.linux ?? {});
  const userNamespace = (separateFlags(namespaces) & CLONE_NEWUSER) !== 0;
  const launch = { id, bundle, directory, options, mode, context, namespaces, userNamespace };
  const files = new StateFiles(launch);
  try {
    return await build(launch, files);
  } catch (error) {
    const { takeBack } = await import("./delete.ts");
    await takeBack(directory, files.current, context);
    directory[Symbol.dispose]();
    if (!(error instanceof ProgramEndedError)) throw error;
    const { programError } = await import("./start_error.ts");
    throw programError(error, files.current.process);
  }
}

/** A terminal needs somebody who takes its master, and nobody sends a master without a terminal. */
function checkTerminal({ config }: Bundle, { consoleSocket }: LaunchOptions, { relays }: LaunchMode): void {
  const terminal = config.process.terminal === true;
  if (terminal && !relays && consoleSocket === undefined) {
    throw new RuntimeError("cannot allocate tty if runc will detach without setting console socket");
  }
  if ((!terminal || relays) && consoleSocket !== undefined) {
    throw new RuntimeError("cannot use console socket if runc will not detach or allocate tty");
  }
}

async function build(launch: Launch, files: StateFiles): Promise<Launched> {
  const { bundle, context, directory } = launch;
  const { linux } = bundle.config;
  const place = cgroupPlaceOf(launch.id, bundle, context);
  files.write({ cgroup: place });
  writeSmallFile(`${directory.path}/config.json`, bundle.bytes, 0o600);
  if (linux?.intelRdt !== undefined) {
    const { makeRdt } = await import("../../runtime/intel_rdt.ts");
    files.write({ rdt: makeRdt(linux.intelRdt, launch.id) });
  }
  using cgroup = await makeCgroup(place, linux?.resources ?? {}, {
    disabled: context.cgroupManager === "disabled",
    rootless: context.rootless,
    annotations: bundle.config.annotations,
    owner: subtreeOwner(bundle.config),
  }).catch((error: unknown) => {
    // A group that was not made here may hold processes of others: it is not this container's to kill and remove.
    files.write({ cgroup: undefined });
    throw error;
  });
  if (cgroup.place !== place) files.write({ cgroup: cgroup.place });
  const started = await startProgram(launch, { cgroup, files });
  return { directory, file: files.current, linux: linux ?? {}, started };
}

/** state.json as it grows. */
export class StateFiles {
  readonly #directory: string;
  current: StateFile;

  constructor({ id, bundle, directory, context, namespaces }: Launch) {
    this.#directory = directory.path;
    const { config } = bundle;
    const hooks = Object.entries(config.hooks ?? {});
    this.current = {
      ociVersion: config.ociVersion,
      id,
      bundle: bundle.directory,
      rootfs: bundle.rootfs,
      created: new Date().toISOString(),
      ...(config.annotations === undefined ? {} : { annotations: config.annotations }),
      creating: true,
      pid: 0,
      startTime: 0,
      bootId: bootId(),
      rootless: context.rootless,
      ownsPids: (namespaces.made & CLONE_NEWPID) !== 0,
      cgroup: undefined,
      entered: false,
      lateSteps: [],
      process: { args: config.process.args ?? [], cwd: config.process.cwd },
      filtered: config.linux?.seccomp !== undefined,
      hooks: hooks.filter(([, list]) => list.length > 0).map(([kind]) => kind as HookKind),
    };
  }

  /** Adds what has become known. */
  write(known: Partial<StateFile>): void {
    this.current = { ...this.current, ...known };
    writeState(this.#directory, this.current);
  }

  /** The container is complete. */
  complete(pid: number): void {
    this.write({ creating: false, pid, startTime: readProcessStat(pid)?.startTime ?? 0 });
  }
}
