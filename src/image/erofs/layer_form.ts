/**
 * Chooses the form in which layers are kept, once for a pull: by trying what a container will do with them, on the file
 * system where they will lie. Costs a process of system calls, about a millisecond.
 */
import { mkdirSync } from "node:fs";
import { AT_FDCWD, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, S_IFREG } from "../../linux/abi/fcntl.ts";
import { CLONE_NEWNS } from "../../linux/abi/sched.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, openat } from "../../linux/file.ts";
import type { Program } from "../../linux/program.ts";
import { executableOf, finishProgram, programWithReport, spawnProgram } from "../../linux/spawn.ts";
import { waitForExit } from "../../linux/wait.ts";
import { planRoot } from "../../runtime/rootfs/root.ts";
import { imageLayerName } from "../../store/layout.ts";
import type { UnpackOptions } from "../unpack/options.ts";
import { writeDirectories } from "./directory_writer.ts";
import { FileWriter } from "./file_writer.ts";
import { BLOCK_SIZE, FILE_TYPE } from "./format.ts";
import { newImageDirectory, packFile } from "./image_directory.ts";
import { ImageOutput } from "./image_output.ts";

/** What the configuration may say: files where the kernel takes them, or directories everywhere. */
export type LayerPreference = "erofs" | "directories";

/** Each container has the pages of its images for itself, which a start of a large program feels (ADR 0011). */
const DEFAULT: LayerPreference = "directories";
const FILE_NAME = "probe";
const FILE_SIZE = 1;

/** Why images cannot be used. */
export interface ImageRefusal {
  readonly errno: number;
}

/** @param directory on the data root's file system; must not exist, and stays */
export async function chooseForm(
  preference: LayerPreference | undefined,
  directory: string,
): Promise<UnpackOptions["form"]> {
  if ((preference ?? DEFAULT) === "directories") return "directory";
  return (await whyNoImages(directory)) === undefined ? "erofs" : "directory";
}

/**
 * Tries to use an image as a layer below `directory`, which is made.
 * @returns undefined when it can be done, or what was refused
 * @throws {SyscallError} when the image cannot be written
 */
export async function whyNoImages(directory: string): Promise<ImageRefusal | undefined> {
  for (const name of ["", "/tmp", "/rw", "/rw/upper", "/rw/work"])
    mkdirSync(directory + name, { mode: 0o755 });
  const layer = imageLayerName("layer");
  writeProbe(`${directory}/${layer}`);
  const program = programWithReport();
  const root = planRoot(program, {
    kind: "overlay",
    directory,
    lower: [{ path: layer, isImage: true }],
    scratch: "rw",
    userxattr: false,
    nodev: true,
    appendLayers: true,
    tellsUpper: false,
  });
  const file = program.section("read a file of the layer").openat(root, FILE_NAME, O_RDONLY).result;
  program.step("read", file, program.room(8), FILE_SIZE);
  program.exit_group(0).ignoreErrors();
  return await runProbe(program, `${directory}/program`);
}

async function runProbe(program: Program, programFile: string): Promise<ImageRefusal | undefined> {
  const executable = executableOf(finishProgram(program));
  try {
    const started = spawnProgram(executable, { namespaces: CLONE_NEWNS, inherit: [], programFile });
    waitForExit(started.pidfd);
    const failure = await started.failure();
    started.release();
    return failure;
  } catch (error) {
    // Root of another container may not make namespaces; nor can it run what is pulled, but it may pull it.
    if (error instanceof SyscallError) return error;
    throw error;
  }
}

function writeProbe(path: string): void {
  using fd = new Fd(openat(AT_FDCWD, path, { flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600 }));
  const output = new ImageOutput(fd.number, BLOCK_SIZE);
  const files = new FileWriter(output);
  const root = newImageDirectory(undefined, 0o755);
  const mtime = { seconds: 0, nanoseconds: 0 };
  const xattrs = new Uint8Array(0);
  const nid = files.begin({
    mode: S_IFREG | 0o644,
    uid: 0,
    gid: 0,
    mtime,
    size: FILE_SIZE,
    device: 0,
    xattrs,
  });
  files.finish();
  root.entries.set(FILE_NAME, packFile(nid, FILE_TYPE[S_IFREG >> 12] ?? 0));
  writeDirectories({ fd: fd.number, output, root, inodes: files.count, linked: new Set() });
}
