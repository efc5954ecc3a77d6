/**
 * Detached copies of the host's mounts, opened by the engine for a program that cannot look their paths up: in a user
 * namespace of its own it is root of nothing on the host. They become slaves at once: a copy that the engine makes is
 * a peer of the host's mount, and what a container mounts on it would reach the host.
 */
import { EPERM } from "../../linux/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW } from "../../linux/abi/fcntl.ts";
import {
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_SIZE,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import { call, callRaw, cstr, formatCall, SyscallError } from "../../linux/call.ts";

/** How a copy is made. */
export interface DetachedOptions {
  readonly recursive: boolean;
  /** A symbolic link itself, not what it leads to. */
  readonly nofollow: boolean;
}

/**
 * A detached copy of the mount at `path`, or of a part of it; undefined where this process may not make one, which the
 * program in a namespace of its own may.
 * @throws {SyscallError} ENOENT, EINVAL …
 */
export function openDetached(path: string, { recursive, nofollow }: DetachedOptions): number | undefined {
  const below = recursive ? AT_RECURSIVE : 0;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | below | (nofollow ? AT_SYMLINK_NOFOLLOW : 0);
  const name = cstr(path);
  const fd = callRaw("open_tree", AT_FDCWD, name, flags);
  if (fd === -EPERM) return undefined;
  if (fd < 0) {
    const text = formatCall("open_tree", [AT_FDCWD, name, flags]);
    throw new SyscallError({ name: "open_tree", text, errno: -fd });
  }
  call(
    "mount_setattr",
    fd,
    cstr(""),
    AT_EMPTY_PATH | AT_RECURSIVE,
    attributes({ propagation: MS_SLAVE }),
    MOUNT_ATTR_SIZE,
  );
  return fd;
}

/** Shows the files of a detached mount with the owners that a user namespace maps them to: mount_setattr(2). */
export function mapIds(
  mount: number,
  { userNamespace, recursive }: { readonly userNamespace: number; readonly recursive: boolean },
): void {
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  const change = attributes({ set: MOUNT_ATTR_IDMAP, userNamespace });
  call("mount_setattr", mount, cstr(""), flags, change, MOUNT_ATTR_SIZE);
}

/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd, 64 bits each. */
function attributes({ set = 0, propagation = 0, userNamespace = 0 }): Uint8Array {
  const words = new Uint32Array(new ArrayBuffer(MOUNT_ATTR_SIZE));
  words[0] = set;
  words[4] = propagation;
  words[6] = userNamespace;
  return new Uint8Array(words.buffer);
}
