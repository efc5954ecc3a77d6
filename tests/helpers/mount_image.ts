/** Mounts a layer's image where nobody sees it: a detached mount, gone with its descriptor. */
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
} from "../../src/linux/abi/mount.ts";
import { call, cstr } from "../../src/linux/call.ts";
import { Fd } from "../../src/linux/file.ts";

/**
 * Mounts the image at `path`, absolute, from the file itself (Linux 6.12).
 * @throws {SyscallError} ENODEV without EROFS, ENOTBLK where it wants a block device, EINVAL for another content
 */
export function mountImage(path: string): Fd {
  using fs = new Fd(call("fsopen", cstr("erofs"), FSOPEN_CLOEXEC));
  call("fsconfig", fs.number, FSCONFIG_SET_STRING, cstr("source"), cstr(path), 0);
  call("fsconfig", fs.number, FSCONFIG_CMD_CREATE, null, null, 0);
  return new Fd(call("fsmount", fs.number, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
}
