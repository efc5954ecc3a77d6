/**
 * The container's root directory: an overlay of the image's layers below a writable directory, or a plain copy.
 * Steps only; the descriptor that they leave is the root of all that follows.
 */
import { AT_FDCWD, AT_RECURSIVE, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_NODEV,
  MS_REC,
  MS_SLAVE,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import { inheritedFd } from "../../linux/spawn.ts";
import type { Label, Slot, Variable } from "../../linux/step.ts";
import { planSentMaster } from "../process/terminal.ts";
import { optionString } from "./overlay_slots.ts";
import { type Overlay, type RootSource, SECTION_OVERLAY, SECTION_PROPAGATION } from "./root_source.ts";

/** Directory of the data root that images are mounted over, in the process's namespace only. */
export const IMAGE_PLACE = "tmp";

/** The program's end of the socket to its parent. */
const SOCKET = inheritedFd(0);

/** Leaves a descriptor of the root directory in the returned variable. */
export function planRoot(program: Program, source: RootSource): Variable {
  const root = program.variable("root");
  if (source.kind === "directory" && !source.mounts) {
    program.section("open the root directory");
    program.openat(AT_FDCWD, source.directory, O_PATH | O_DIRECTORY).into(root);
    return root;
  }
  // Slave, not private: a private copy would pin mounts that the host unmounts meanwhile (mount_namespaces(7)).
  program.section(SECTION_PROPAGATION).mount(null, "/", null, MS_REC | MS_SLAVE);
  program.section(SECTION_OVERLAY).chdir(source.directory);
  if (source.kind === "directory") planBoundRoot(program, root);
  else planOverlay(program, source, root);
  return root;
}

/** A root must be a mount point to be pivoted to: the directory is mounted onto itself. */
function planBoundRoot(program: Program, root: Variable): void {
  program.open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | AT_RECURSIVE).into(root);
  program.move_mount(root, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH);
}

function planOverlay(program: Program, overlay: Overlay, root: Variable): void {
  const mounted = program.label();
  const onTmpfs = program.label();
  planOverlayMount(program, overlay, { root, refused: onTmpfs });
  if (overlay.tellsUpper)
    program.section("tell that the writable layer is on the disk").write(SOCKET, "d", 1);
  program.jump(mounted);
  // overlayfs refuses an upper directory that is itself on overlayfs, as everything is inside Docker: EINVAL.
  program.place(onTmpfs).section("mount a tmpfs for the writable layer");
  const slots = slotsOf(program, overlay);
  program.mount("tmpfs", slots.scratch, "tmpfs", 0, "mode=755");
  program.mkdirat(AT_FDCWD, slots.upper, 0o755);
  program.mkdirat(AT_FDCWD, slots.work, 0o755);
  program.section(SECTION_OVERLAY);
  planOverlayMount(program, overlay, { root, refused: program.giveUp });
  if (overlay.tellsUpper) planHandedUpper(program, slots.upper);
  program.place(mounted);
}

/** The engine has written down where to find the layer before anything runs that would be looked for there. */
function planHandedUpper(program: Program, path: Slot): void {
  program.section("hand the writable layer to the engine");
  // The working directory lies below the new root, which was mounted over it.
  const upper = program.openat(AT_FDCWD, path, O_PATH | O_DIRECTORY).result;
  planSentMaster(program, upper, { socket: SOCKET, name: "t" });
  program.read(SOCKET, program.room(8), 1).onZero(program.giveUp);
}

interface OverlayWays {
  readonly root: Variable;
  readonly refused: Label;
}

function planOverlayMount(program: Program, overlay: Overlay, ways: OverlayWays): void {
  if (overlay.appendLayers) planOverlayByLayer(program, overlay, ways);
  else planOverlayByString(program, overlay, ways);
}

function planOverlayByLayer(program: Program, overlay: Overlay, { root, refused }: OverlayWays): void {
  const fs = program.fsopen("overlay", 0).result;
  const { upper, work } = slotsOf(program, overlay);
  const set = (key: string, value: string | Slot) => program.fsconfig(fs, FSCONFIG_SET_STRING, key, value);
  set("source", "overlay");
  for (const { path, isImage } of overlay.lower) {
    // All are gone with the old root.
    if (isImage) planImage(program, path);
    set("lowerdir+", isImage ? IMAGE_PLACE : path);
  }
  // Otherwise files of an image would be on another device than their directories: find -xdev, du -x, tar.
  if (overlay.lower.some(({ isImage }) => isImage)) set("xino", "on");
  // Linux refuses an upper directory on overlayfs here already (6.7), not only when the filesystem is created.
  set("upperdir", upper).onError(refused);
  set("workdir", work).onError(refused);
  // The upper directory goes with the container: without this, unmounting would first sync it to the disk.
  program.fsconfig(fs, FSCONFIG_SET_FLAG, "volatile");
  if (overlay.userxattr) program.fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr");
  program.fsconfig(fs, FSCONFIG_CMD_CREATE).onError(refused);
  program.fsmount(fs, 0, overlay.nodev ? MOUNT_ATTR_NODEV : 0).into(root);
  program.move_mount(root, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH);
}

/**
 * Mounts a layer's file where the next step looks for it, on top of the one before. By a path since overlayfs takes a
 * detached mount in the place of one from Linux 6.15 on only.
 */
export function planImage(program: Program, path: string): void {
  const fs = program.fsopen("erofs", 0).result;
  program.fsconfig(fs, FSCONFIG_SET_STRING, "source", path);
  program.fsconfig(fs, FSCONFIG_CMD_CREATE);
  const mount = program.fsmount(fs, 0, MOUNT_ATTR_RDONLY).result;
  program.move_mount(mount, "", AT_FDCWD, IMAGE_PLACE, MOVE_MOUNT_F_EMPTY_PATH);
}

/** mount(2) takes one page of options; fsconfig(2) would take 255 bytes. */
function planOverlayByString(program: Program, overlay: Overlay, { root, refused }: OverlayWays): void {
  const flags = overlay.nodev ? MS_NODEV : 0;
  const data = program.slot("overlay options", optionString(overlay));
  program.mount("overlay", overlay.directory, "overlay", flags, data).onError(refused);
  program.openat(AT_FDCWD, overlay.directory, O_PATH | O_DIRECTORY).into(root);
}

function slotsOf(
  program: Program,
  { scratch }: Overlay,
): Readonly<Record<"scratch" | "upper" | "work", Slot>> {
  return {
    scratch: program.slot("scratch", scratch),
    upper: program.slot("upper", `${scratch}/upper`),
    work: program.slot("work", `${scratch}/work`),
  };
}
