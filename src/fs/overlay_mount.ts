/** A read-only overlay of layers, for looking at an image with ordinary programs. */
import { ENOSYS } from "../linux/abi/errno.ts";
import { AT_FDCWD, O_DIRECTORY, O_PATH } from "../linux/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_NODEV,
  MS_NOSUID,
  MS_RDONLY,
} from "../linux/abi/mount.ts";
import { call, callRaw, cstr } from "../linux/call.ts";
import { Fd, openat } from "../linux/file.ts";

const ATTRIBUTES = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
const FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV;

/** What to mount. */
export interface ReadOnlyOverlay {
  /** Absolute paths, top first; at least two: overlayfs wants no less without an upper directory. */
  readonly layers: readonly string[];
  /** The layers' marks are those of a user namespace. */
  readonly userxattr: boolean;
  /** What the mount table shows as its source. */
  readonly source: string;
}

/**
 * Mounts the overlay at a directory, read-only, without set-user-id programs and devices.
 * @param target an absolute path
 * @throws {SyscallError} EPERM, ENODEV; EINVAL for a layer on a file system that overlayfs cannot take
 */
export function mountOverlay(overlay: ReadOnlyOverlay, target: string): void {
  using fs = openOverlay(overlay);
  if (fs === undefined) {
    using place = new Fd(openat(AT_FDCWD, target, { flags: O_PATH | O_DIRECTORY }));
    mountByString(overlay, place.number);
    return;
  }
  call("fsconfig", fs.number, FSCONFIG_CMD_CREATE, null, null, 0);
  attachReadOnly(fs, target);
}

/** Mounts a file system that was created, read-only, without set-user-id programs and devices. @throws {SyscallError} */
export function attachReadOnly(fs: Fd, target: string): void {
  using place = new Fd(openat(AT_FDCWD, target, { flags: O_PATH | O_DIRECTORY }));
  using mount = new Fd(call("fsmount", fs.number, FSMOUNT_CLOEXEC, ATTRIBUTES));
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  call("move_mount", mount.number, cstr(""), place.number, cstr(""), flags);
}

/** @returns undefined where layers cannot be named one by one: before Linux 6.7 */
function openOverlay({ layers, userxattr, source }: ReadOnlyOverlay): Fd | undefined {
  const number = callRaw("fsopen", cstr("overlay"), FSOPEN_CLOEXEC);
  if (number === -ENOSYS) return undefined;
  if (number < 0) call("fsopen", cstr("overlay"), FSOPEN_CLOEXEC);
  const fs = new Fd(number);
  const set = (key: string, value: string): number =>
    callRaw("fsconfig", fs.number, FSCONFIG_SET_STRING, cstr(key), cstr(value), 0);
  const isRefused = [set("source", source), ...layers.map((layer) => set("lowerdir+", layer))].some(
    (result) => result < 0,
  );
  // What is wrong about a layer itself, mount(2) says again.
  if (isRefused) {
    fs[Symbol.dispose]();
    return undefined;
  }
  if (userxattr) call("fsconfig", fs.number, FSCONFIG_SET_FLAG, cstr("userxattr"), null, 0);
  return fs;
}

/** All layers in one page of options: by descriptors, which are shorter than paths. */
function mountByString({ layers, userxattr, source }: ReadOnlyOverlay, place: number): void {
  using stack = new DisposableStack();
  const opened = layers.map((layer) =>
    stack.use(new Fd(openat(AT_FDCWD, layer, { flags: O_PATH | O_DIRECTORY }))),
  );
  const lower = `lowerdir=${opened.map(({ number }) => pathOf(number)).join(":")}`;
  const options = userxattr ? `${lower},userxattr` : lower;
  call("mount", cstr(source), cstr(pathOf(place)), cstr("overlay"), FLAGS, cstr(options));
}

const pathOf = (fd: number): string => `/proc/self/fd/${fd}`;
