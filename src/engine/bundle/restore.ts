/**
 * `restore`: makes a container of the files that checkpoint has written, by criu(8). criu wants the root to be a mount
 * point; so that the machine gets no mount, it runs in a mount namespace of its own, where the root is bound below the
 * container's directory. The restored process becomes a child of this one (CLONE_PARENT), as a started one is.
 */
import { mkdirSync, readFileSync, rmdirSync, unlinkSync } from "node:fs";
import { resolve } from "node:path";
import { call } from "../../linux/call.ts";
import { replaceSmallFile } from "../../linux/small_file.ts";
import { isBindMount } from "../../oci/bundle/mounts.ts";
import { makeCgroup } from "../../runtime/cgroup/make.ts";
import { namespacePlanOf } from "../../runtime/namespaces.ts";
import { type Bundle, openBundle } from "./bundle.ts";
import { cgroupPlaceOf } from "./cgroup_place.ts";
import { NULL_NAME, readDescriptors } from "./checkpoint.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { getCriu } from "./criu.ts";
import { type RestoreFlags, type RestoreTarget, restoreArguments } from "./criu_arguments.ts";
import { criuError } from "./criu_log.ts";
import { type CriuPlace, cgroupRoots, runCriuRestore } from "./criu_program.ts";
import { removeContainer } from "./delete.ts";
import { type Launch, StateFiles } from "./launch.ts";
import { StateDirectory } from "./state_directory.ts";
import { superviseCommand } from "./supervise.ts";

/** The flags of restore. */
export interface RestoreOptions extends RestoreFlags {
  readonly bundle: string;
  readonly detach: boolean;
  readonly pidFile?: string;
}

/**
 * Restores container `id`. @returns the status of its process, or 0 when it runs detached.
 * @throws {RuntimeError} when criu is not installed or fails, with nothing left behind.
 */
export async function restoreContainer(
  id: string,
  options: RestoreOptions,
  context: RuntimeContext,
): Promise<number> {
  if (context.rootless) throw new RuntimeError("cannot restore a rootless container: criu needs root");
  const criu = getCriu(options.criu);
  const bundle = openBundle(options.bundle);
  refuseWhatIsLost(bundle);
  const directory = StateDirectory.create(context.root, checkId(id));
  const launch = launchOf(bundle, { id, directory, options, context });
  const files = new StateFiles(launch);
  try {
    const pid = await restore({ criu, launch, files, options });
    if (options.pidFile !== undefined) replaceSmallFile(options.pidFile, String(pid));
    if (options.detach) return 0;
    return await supervise(pid, { directory, files, context });
  } catch (error) {
    await removeContainer(directory, files.current, context);
    throw error;
  } finally {
    directory[Symbol.dispose]();
  }
}

/** What criu cannot give back without a helper program for its questions. */
function refuseWhatIsLost({ config }: Bundle): void {
  if (config.process.terminal === true) {
    throw new RuntimeError("process.terminal: a container with a terminal cannot be restored");
  }
  for (const kind of ["prestart", "createRuntime", "createContainer", "startContainer"] as const) {
    if ((config.hooks?.[kind] ?? []).length > 0) {
      throw new RuntimeError(`hooks.${kind}: hooks cannot run while a container is restored`);
    }
  }
}

interface Restoring {
  readonly id: string;
  readonly directory: StateDirectory;
  readonly options: RestoreOptions;
  readonly context: RuntimeContext;
}

const launchOf = (bundle: Bundle, { id, directory, options, context }: Restoring): Launch => ({
  id,
  bundle,
  directory,
  options: { bundle: options.bundle, noPivot: false, noNewKeyring: true, preserveFds: 0 },
  mode: { waits: false, relays: false },
  context,
  namespaces: namespacePlanOf(bundle.config.linux ?? {}),
  userNamespace: false,
});

interface Restore {
  readonly criu: string;
  readonly launch: Launch;
  readonly files: StateFiles;
  readonly options: RestoreOptions;
}

/** @returns the restored process. */
async function restore({ criu, launch, files, options }: Restore): Promise<number> {
  const { bundle, context, directory } = launch;
  const { linux } = bundle.config;
  const place = cgroupPlaceOf(launch.id, bundle, context);
  files.write({ cgroup: place });
  replaceSmallFile(`${directory.path}/config.json`, bundle.bytes);
  using cgroup = await makeCgroup(place, linux?.resources ?? {}, { rootless: false });
  files.write({ cgroup: cgroup.place, entered: true });
  const work = resolve(options.workPath ?? options.imagePath);
  const [root, pidFile] = [`${directory.path}/root`, `${directory.path}/restored.pid`];
  const paths = { ...options, imagePath: resolve(options.imagePath), workPath: work };
  const target = targetOf(bundle, { root, pidFile, cgroups: cgroupRoots(cgroup.place), paths });
  mkdirSync(root);
  try {
    const program: CriuPlace = {
      criu,
      rootfs: bundle.rootfs,
      root,
      joinFds: cgroup.joinFds,
      network: networkOf(bundle),
    };
    const succeeded = await runCriuRestore(restoreArguments(paths, target), program);
    if (!succeeded) throw criuError("restore", `${work}/restore.log`);
    const pid = Number(readFileSync(pidFile, "utf8"));
    unlinkSync(pidFile);
    files.complete(pid);
    return pid;
  } finally {
    rmdirSync(root);
  }
}

const networkOf = ({ config }: Bundle): string | undefined =>
  config.linux?.namespaces?.find(({ type }) => type === "network")?.path;

interface TargetPlace extends Pick<RestoreTarget, "root" | "pidFile" | "cgroups"> {
  readonly paths: RestoreOptions;
}

function targetOf({ config, directory }: Bundle, { paths, ...place }: TargetPlace): RestoreTarget {
  const binds = (config.mounts ?? []).filter(isBindMount);
  return {
    ...place,
    mounts: [
      ...binds.map(({ destination, source = "" }) => ({
        name: resolve("/", destination),
        source: resolve(directory, source),
      })),
      { name: NULL_NAME, source: "/dev/null" },
    ],
    // What was a pipe becomes this process's own stream of the same number; files are opened again by criu.
    inherited: readDescriptors(paths.imagePath).flatMap((name, fd) =>
      name.startsWith("pipe:") ? [`fd[${fd}]:${name}`] : [],
    ),
  };
}

interface Supervision {
  readonly directory: StateDirectory;
  readonly files: StateFiles;
  readonly context: RuntimeContext;
}

async function supervise(pid: number, { directory, files, context }: Supervision): Promise<number> {
  const pidfd = call("pidfd_open", pid, 0);
  try {
    return await superviseCommand({ pidfd, master: undefined });
  } finally {
    call("close", pidfd);
    await removeContainer(directory, files.current, context);
  }
}
