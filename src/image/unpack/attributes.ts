/**
 * Owner, mode, extended attributes and times of what a layer holds, set in the order that keeps them: chown(2) clears
 * set-user-id bits and file capabilities even for root, and any write changes the times.
 */

import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import { E2BIG, EINVAL, ENOSPC, ENOTSUP, EPERM } from "../../linux/abi/errno.ts";
import { S_ISGID } from "../../linux/abi/file.ts";
import { SyscallError } from "../../linux/call.ts";
import { fchmod, fchmodat, type Owner, tryFchown, tryFchownat, utimensat } from "../../linux/file.ts";
import { listxattr, removexattr, tryRemovexattr, trySetxattr, type XattrTarget } from "../../linux/xattr.ts";
import type { TarEntry, Timestamp } from "../tar/entry.ts";
import type { UnpackOptions } from "./options.ts";

/** Bytes of all attributes of a file that ext4 has room for, in blocks of 4 KiB. */
const XATTR_BYTES_KEPT = 4000;

/** Seconds of the years 1677 and 2262: what 64 bits of nanoseconds hold, as Go's tools clamp it. */
const SECONDS_MAX = 9_223_372_036;

const DEFAULT_LIST = "system.posix_acl_default";
const ROOT: Owner = { uid: 0, gid: 0 };

/** What could not be kept, counted so that it can be said once. */
export interface Skipped {
  owners: number;
  devices: number;
  xattrs: number;
}

/** A name in an open directory. */
export interface Target {
  readonly dirfd: number;
  readonly name: ByteString;
}

/** Sets attributes as {@link UnpackOptions} says, and counts what it could not. */
export class Attributes {
  readonly skipped: Skipped = { owners: 0, devices: 0, xattrs: 0 };
  readonly #options: UnpackOptions;
  /** Once a directory hands its group on to what is created in it, each owner must be set. */
  #groupIsInherited = false;
  /** Once a directory hands an access list on to what is created in it, that is removed from each. */
  #listIsInherited = false;

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  /** Mode to create a file with so that, mostly, no fchmod(2) follows. */
  creationMode(mode: number): number {
    return mode & 0o777;
  }

  /** Everything but times of an open file or directory that was just created. */
  setOnFile(fd: number, entry: TarEntry): void {
    const isOthers = this.#mustChown(entry);
    if (isOthers) checkedChown(entry, tryFchown(fd, entry));
    if (this.#listIsInherited) removeAccessLists(fd);
    if (isOthers || this.#differsFromCreated(entry.mode)) fchmod(fd, entry.mode);
    this.#noteInherited(entry);
    if (entry.xattrs.size > 0) this.#setXattrs(fd, entry);
  }

  /** The same for what is not opened: directories, devices, FIFOs; for symlinks, owner and attributes. */
  setOnName({ dirfd, name }: Target, entry: TarEntry): void {
    const path = cBytes(name);
    const isOthers = this.#mustChown(entry);
    if (isOthers) checkedChown(entry, tryFchownat(dirfd, path, entry));
    if (entry.type !== "symlink") {
      if (this.#listIsInherited) removeAccessLists(pathByDescriptor(dirfd, name));
      if (isOthers || this.#differsFromCreated(entry.mode)) fchmodat(dirfd, path, entry.mode);
    }
    this.#noteInherited(entry);
    if (entry.xattrs.size > 0) this.#setXattrs(pathByDescriptor(dirfd, name), entry);
  }

  /** Makes a directory that no entry describes root's, whatever the one above hands on. */
  setImplied({ dirfd, name }: Target, mode: number): void {
    const path = cBytes(name);
    if (this.#mustChown(ROOT)) checkedChown(ROOT, tryFchownat(dirfd, path, ROOT));
    if (this.#listIsInherited) removeAccessLists(pathByDescriptor(dirfd, name));
    fchmodat(dirfd, path, mode);
  }

  /** Makes a directory, which another entry is about to describe anew, as if it had just been created. */
  reset({ dirfd, name }: Target, mode: number): void {
    const path = pathByDescriptor(dirfd, name);
    for (const xattr of listxattr(path)) if (!isHostXattr(xattr)) removexattr(path, cBytes(xattr));
    const { creator, owners } = this.#options;
    if (owners === "exact") checkedChown(creator, tryFchownat(dirfd, cBytes(name), creator));
    fchmodat(dirfd, cBytes(name), mode);
  }

  /** The attribute by which overlayfs knows an opaque directory. */
  get opaqueName(): string {
    return this.#options.whiteouts === "user" ? "user.overlay.opaque" : "trusted.overlay.opaque";
  }

  /** Marks a directory as opaque in the form that overlayfs reads. */
  setOpaque(target: XattrTarget): void {
    const name = this.opaqueName;
    const result = trySetxattr(target, name, Buffer.from("y"));
    if (result < 0)
      throw new SyscallError({ name: "setxattr", text: `setxattr("${name}", "y")`, errno: -result });
  }

  /** Whether what was just created has another owner; one that cannot be given is counted instead. */
  #mustChown({ uid, gid }: Owner): boolean {
    const { creator, owners } = this.#options;
    const same = uid === creator.uid && gid === creator.gid;
    if (same && !this.#groupIsInherited) return false;
    if (owners === "exact") return true;
    if (!same) this.skipped.owners += 1;
    return false;
  }

  /** Notes what a directory will hand on to all that is created in it. */
  #noteInherited({ type, mode, xattrs }: TarEntry): void {
    if (type !== "directory") return;
    if ((mode & S_ISGID) !== 0) this.#groupIsInherited = true;
    if (xattrs.has(DEFAULT_LIST)) this.#listIsInherited = true;
  }

  #differsFromCreated(mode: number): boolean {
    return this.#groupIsInherited || this.#listIsInherited || (mode & (0o7000 | this.#options.umask)) !== 0;
  }

  #setXattrs(target: XattrTarget, { xattrs }: TarEntry): void {
    for (const [name, value] of xattrs) {
      if (isHostXattr(name) || name.includes("\0")) continue;
      const result = trySetxattr(target, cBytes(name), Buffer.from(value, "latin1"));
      // Not supported by this file system, or not on this kind of file, or not in this user namespace.
      if (result === -ENOTSUP || result === -EPERM || result === -EINVAL) this.skipped.xattrs += 1;
      else if (result < 0) {
        // The answer of a disk that is full, too.
        const isTooMuch = result === -ENOSPC && bytesOf(xattrs) > XATTR_BYTES_KEPT;
        const errno = isTooMuch ? E2BIG : -result;
        throw new SyscallError({ name: "setxattr", text: "setxattr()", errno });
      }
    }
  }
}

const bytesOf = (xattrs: TarEntry["xattrs"]): number =>
  xattrs.entries().reduce((sum, [name, value]) => sum + name.length + value.length, 0);

function checkedChown({ uid, gid }: Owner, result: number): void {
  if (result >= 0) return;
  throw new SyscallError({ name: "fchown", text: `fchown(${uid}, ${gid})`, errno: -result });
}

/** Removes the access lists of acl(5), which a new file may have from the directory that it is in. */
export function removeAccessLists(target: XattrTarget): void {
  // ENODATA and ENOTSUP: it has none.
  for (const name of [DEFAULT_LIST, "system.posix_acl_access"]) tryRemovexattr(target, name);
}

/** Sets the times of an open file, or of a name, whatever it is. */
export function setTimes(
  dirfd: number,
  name: ByteString | null,
  times: { atime: Timestamp; mtime: Timestamp },
): void {
  utimensat(dirfd, name === null ? null : cBytes(name), {
    atime: clampTime(times.atime),
    mtime: clampTime(times.mtime),
  });
}

/** The times of an entry: an archive that does not say when a file was read means "when it was written". */
export function timesOf({ atime, mtime }: TarEntry): { atime: Timestamp; mtime: Timestamp } {
  return { atime: atime ?? mtime, mtime };
}

/** The nearest time that every file system can keep. */
export function clampTime(time: Timestamp): Timestamp {
  if (Math.abs(time.seconds) < SECONDS_MAX) return time;
  return { seconds: Math.sign(time.seconds) * SECONDS_MAX, nanoseconds: 0 };
}

/**
 * Attributes that an image has no say in: trusted.* are the kernel's and overlayfs' own (a layer could redirect names or
 * hide what is below), user.overlay.* is its form without root, and labels belong to the host's policy.
 */
export function isHostXattr(name: ByteString): boolean {
  return name.startsWith("trusted.") || name.startsWith("user.overlay.") || name === "security.selinux";
}

/** The only way to attributes of a symlink or device below a descriptor; the last component is not followed. */
function pathByDescriptor(dirfd: number, name: ByteString): Buffer {
  return cBytes(`/proc/self/fd/${dirfd}/${name}`);
}
