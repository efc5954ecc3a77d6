/**
 * `checkpoint`: writes the processes of a container to files by criu(8), and unless it is to run on, deletes it. What the
 * container shares with the machine stays out of the images: bind mounts, the host's /dev/null over masked files, a
 * network namespace that was joined.
 */
import { mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { RuntimeConfig } from "../../oci/bundle/config.ts";
import { isBindMount } from "../../oci/bundle/mounts.ts";
import { parseConfig } from "../../oci/bundle/parse.ts";
import { checkId } from "./container_id.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import { getCriu } from "./criu.ts";
import {
  type CheckpointOptions,
  type DumpTarget,
  dumpArguments,
  type ExternalMount,
} from "./criu_arguments.ts";
import { CRIU_ENVIRONMENT, criuError } from "./criu_log.ts";
import { removeContainer } from "./delete.ts";
import { statusOf } from "./state.ts";
import { StateDirectory } from "./state_directory.ts";
import { readConfigFile, readStateFile, type StateFile } from "./state_file.ts";

/** Beside the images: what standard input and the outputs were, as runc writes it. */
const DESCRIPTORS_FILE = "descriptors.json";

/** Name in the images of the host's /dev/null, which masks files. */
export const NULL_NAME = "/dev/null";

const IMAGES_MODE = 0o700;
const STANDARD = [0, 1, 2] as const;

/**
 * Checkpoints container `id`.
 * @throws {RuntimeError} when it does not run, criu is not installed, or fails.
 */
export async function checkpointContainer(
  id: string,
  options: CheckpointOptions,
  context: RuntimeContext,
): Promise<void> {
  using directory = await StateDirectory.open(context.root, checkId(id));
  const file = readStateFile(directory.path);
  const status = file === undefined ? "stopped" : statusOf(file, { directory: directory.path, context });
  if (file === undefined || (status !== "running" && status !== "paused")) {
    throw new RuntimeError(`container cannot be checkpointed in state ${status}`);
  }
  if (context.rootless) throw new RuntimeError("cannot checkpoint a rootless container: criu needs root");
  const criu = getCriu(options.criu);
  const places = openPlaces(options);
  const target = dumpTarget(file, parseConfig(readConfigFile(directory.path)));
  dump(criu, places, target);
  if (!options.leaveRunning && !options.preDump) await removeContainer(directory, file, context);
}

/** The same options with absolute paths of directories that exist. */
function openPlaces(options: CheckpointOptions): CheckpointOptions & { readonly workPath: string } {
  const imagePath = resolve(options.imagePath);
  const workPath = resolve(options.workPath ?? options.imagePath);
  for (const path of [imagePath, workPath]) mkdirSync(path, { recursive: true, mode: IMAGES_MODE });
  return { ...options, imagePath, workPath };
}

function dumpTarget(file: StateFile, { mounts = [], linux }: RuntimeConfig): DumpTarget {
  const network = linux?.namespaces?.find(({ type }) => type === "network");
  const binds = mounts.filter(isBindMount).map(({ destination }) => resolve("/", destination));
  return {
    pid: file.pid,
    root: file.rootfs,
    mounts: [
      ...binds.map((mountpoint) => ({ mountpoint, name: mountpoint })),
      ...maskedFiles(file.pid, linux?.maskedPaths ?? []),
    ],
    ...(network?.path === undefined ? {} : { networkInode: statSync(`/proc/${file.pid}/ns/net`).ino }),
  };
}

/** A masked directory has an empty filesystem of its own over it, which the images may hold. */
function maskedFiles(pid: number, paths: readonly string[]): ExternalMount[] {
  return paths
    .filter(
      (path) => statSync(`/proc/${pid}/root${path}`, { throwIfNoEntry: false })?.isDirectory() === false,
    )
    .map((mountpoint) => ({ mountpoint, name: NULL_NAME }));
}

type Places = ReturnType<typeof openPlaces>;

function dump(criu: string, options: Places, target: DumpTarget): void {
  if (!options.preDump) writeDescriptors(target.pid, options.imagePath);
  const { statusFd } = options;
  // The program finds it as the first after the standard ones.
  const args = dumpArguments(
    statusFd === undefined ? options : { ...options, statusFd: STANDARD.length },
    target,
  );
  const { exitCode } = Bun.spawnSync([criu, ...args], {
    env: CRIU_ENVIRONMENT,
    stdio: ["ignore", "ignore", "ignore", ...(statusFd === undefined ? [] : [statusFd])],
  });
  if (exitCode !== 0) throw criuError("dump", `${options.workPath}/dump.log`);
}

function writeDescriptors(pid: number, imagePath: string): void {
  const names = STANDARD.map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  writeFileSync(`${imagePath}/${DESCRIPTORS_FILE}`, JSON.stringify(names), { mode: 0o600 });
}

/** What was written by {@link checkpointContainer}, or by runc; empty where there is no such file. */
export function readDescriptors(imagePath: string): readonly string[] {
  let names: unknown;
  try {
    names = JSON.parse(readFileSync(`${imagePath}/${DESCRIPTORS_FILE}`, "utf8"));
  } catch (error) {
    throw new RuntimeError(`Cannot read "${imagePath}/${DESCRIPTORS_FILE}"`, {
      cause: error,
      hint: "Name the directory that checkpoint has written with --image-path",
    });
  }
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === "string") : [];
}
