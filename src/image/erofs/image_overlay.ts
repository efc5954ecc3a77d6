/**
 * A read-only overlay of layers of which some are images. overlayfs takes no detached mounts before Linux 6.15, and an image
 * shall not show among the host's mounts, nor stay there when this process is killed: a process of system calls mounts them
 * in a namespace of its own and creates the overlay, which keeps them.
 */
import { attachReadOnly } from "../../fs/overlay_mount.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSOPEN_CLOEXEC,
  MS_REC,
  MS_SLAVE,
} from "../../linux/abi/mount.ts";
import { CLONE_NEWNS } from "../../linux/abi/sched.ts";
import { call, cstr } from "../../linux/call.ts";
import { failureError } from "../../linux/failure.ts";
import { Fd } from "../../linux/file.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  spawnProgram,
} from "../../linux/spawn.ts";
import { waitForExit } from "../../linux/wait.ts";
import { IMAGE_PLACE, planImage } from "../../runtime/rootfs/root.ts";
import { isImagePath } from "../../store/find_image.ts";

/** What to mount. */
export interface ImageOverlay {
  /** The data root. */
  readonly root: string;
  /** Relative to it, top first; at least two. */
  readonly layers: readonly string[];
  /** What the mount table shows as its source. */
  readonly source: string;
  /** Path for the program where memfds may not be executed. */
  readonly programFile: string;
}

/** Mounts the overlay at a directory, without set-user-id programs and devices. @throws {SyscallError} */
export async function mountImageOverlay(overlay: ImageOverlay, target: string): Promise<void> {
  using fs = new Fd(call("fsopen", cstr("overlay"), FSOPEN_CLOEXEC));
  call("fsconfig", fs.number, FSCONFIG_SET_STRING, cstr("source"), cstr(overlay.source), 0);
  await create(fs, overlay);
  attachReadOnly(fs, target);
}

/** The process shares the open file system: what it configures, this one mounts. */
async function create(fs: Fd, { root, layers, programFile }: ImageOverlay): Promise<void> {
  const started = spawnProgram(executableOf(finishProgram(creation(root, layers))), {
    namespaces: CLONE_NEWNS,
    inherit: [fs.number],
    programFile,
  });
  try {
    waitForExit(started.pidfd);
    const failure = await started.failure();
    if (failure !== undefined) throw failureError(failure);
  } finally {
    started.release();
  }
}

function creation(root: string, layers: readonly string[]): ReturnType<typeof programWithReport> {
  const program = programWithReport();
  const overlay = inheritedFd(0);
  program.section("create the overlay").mount(null, "/", null, MS_REC | MS_SLAVE);
  program.chdir(root);
  for (const layer of layers) {
    const isImage = isImagePath(layer);
    if (isImage) planImage(program, layer);
    program.fsconfig(overlay, FSCONFIG_SET_STRING, "lowerdir+", isImage ? IMAGE_PLACE : layer);
  }
  // As in a container: files of an image are on the device that their directories are on.
  program.fsconfig(overlay, FSCONFIG_SET_STRING, "xino", "on");
  program.fsconfig(overlay, FSCONFIG_CMD_CREATE);
  program.exit_group(0).ignoreErrors();
  return program;
}
