/** The program that starts criu for a restore: in the container's control group, and a mount namespace of its own. */
import { AT_FDCWD, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { MS_BIND, MS_REC, MS_SLAVE } from "../../linux/abi/mount.ts";
import { CLONE_NEWNS } from "../../linux/abi/sched.ts";
import { failureError } from "../../linux/failure.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  spawnProgram,
} from "../../linux/spawn.ts";
import { waitForExit } from "../../linux/wait.ts";
import { findHierarchies } from "../../runtime/cgroup/hierarchies.ts";
import type { CgroupPlace } from "../../runtime/cgroup/place.ts";
import { NETWORK_NAME } from "./criu_arguments.ts";
import { CRIU_ENVIRONMENT } from "./criu_log.ts";

/** Where criu works. */
export interface CriuPlace {
  readonly criu: string;
  /** The container's root, which is bound on `root`. */
  readonly rootfs: string;
  readonly root: string;
  /** Files that take "0" to have the writer join a control group. */
  readonly joinFds: readonly number[];
  /** A network namespace that the container joins. */
  readonly network: string | undefined;
}

/** Number under which criu finds the network namespace; above what is inherited. */
const NETWORK_FD = 100;

/** Runs criu to its end with this process's streams. @returns whether it has succeeded. */
export async function runCriuRestore(args: readonly string[], place: CriuPlace): Promise<boolean> {
  const program = programWithReport();
  program.section("join the control group");
  for (const index of place.joinFds.keys()) program.write(inheritedFd(index), "0", 1);
  program.section("bind the root").mount(null, "/", null, MS_REC | MS_SLAVE);
  program.mount(place.rootfs, place.root, null, MS_BIND | MS_REC);
  const joins = place.network === undefined ? [] : ["--inherit-fd", `fd[${NETWORK_FD}]:${NETWORK_NAME}`];
  if (place.network !== undefined) {
    const fd = program.variable("network");
    program.section("open the network namespace").openat(AT_FDCWD, place.network, O_RDONLY).into(fd);
    program.dup3(fd, NETWORK_FD);
  }
  const environment = Object.entries(CRIU_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  program.section(`execute "${place.criu}"`).execve(place.criu, [place.criu, ...args, ...joins], environment);
  const started = spawnProgram(executableOf(finishProgram(program)), {
    namespaces: CLONE_NEWNS,
    inherit: place.joinFds,
  });
  try {
    const exit = waitForExit(started.pidfd);
    const failure = await started.failure();
    if (failure !== undefined) throw failureError(failure);
    return "code" in exit && exit.code === 0;
  } finally {
    started.release();
  }
}

/** The groups as criu names them: by controller, from the mount point. Version 2 needs none, criu being in it. */
export function cgroupRoots({ version, directories }: CgroupPlace): Readonly<Record<string, string>> {
  const hierarchies = version === 1 ? findHierarchies() : undefined;
  if (hierarchies?.version !== 1) return {};
  const { mounts } = hierarchies;
  return Object.fromEntries(
    Object.entries(directories).map(([controller, path]) => [
      controller,
      path.slice((mounts[controller] ?? "").length) || "/",
    ]),
  );
}
