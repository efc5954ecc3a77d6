/**
 * Extended attributes behind an inode: a header of 12 bytes, then entries { length of the name without its prefix, number
 * of the prefix, length of the value } with name and value, each a multiple of 4 bytes long. What a directory on a disk
 * would refuse is left out here too.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { SyscallError } from "../../linux/call.ts";
import { alignUp } from "./format.ts";

const ENOSPC = 28;
const ERANGE = 34;
/** Bytes before the first attribute, and before the name of each. */
export const XATTR_HEADER_SIZE = 12;
export const XATTR_ENTRY_SIZE = 4;
const NAME_MAX = 255;
const VALUE_MAX = 0xffff;
/** The inode counts 16 bits of words. */
export const XATTR_BYTES_MAX = XATTR_HEADER_SIZE + (0xffff - 1) * 4;

/** Prefixes by their numbers; those that end in a dot have something behind them. */
export const XATTR_PREFIXES: ReadonlyArray<readonly [number: number, prefix: string]> = [
  [1, "user."],
  [2, "system.posix_acl_access"],
  [3, "system.posix_acl_default"],
  [4, "trusted."],
  [6, "security."],
];

/** What an attribute is set on. */
export type XattrOwner = "file" | "directory" | "symlink" | "other";

/** Bytes to be put behind an inode, and how many attributes were left out. */
export interface XattrBody {
  readonly bytes: Uint8Array;
  readonly skipped: number;
}

const NOTHING: XattrBody = { bytes: new Uint8Array(0), skipped: 0 };

/** @throws {SyscallError} for a name that is too long, or more than fits */
export function encodeXattrs(
  xattrs: Iterable<readonly [ByteString, ByteString]>,
  owner: XattrOwner,
): XattrBody {
  const parts: Buffer[] = [];
  let skipped = 0;
  for (const [name, value] of xattrs) {
    const part = encodeEntry(name, value, owner);
    if (part === undefined) skipped += 1;
    else parts.push(part);
  }
  if (parts.length === 0) return skipped === 0 ? NOTHING : { ...NOTHING, skipped };
  const bytes = Buffer.concat([Buffer.alloc(XATTR_HEADER_SIZE), ...parts]);
  if (bytes.length > XATTR_BYTES_MAX) throw refusal(ENOSPC);
  return { bytes, skipped };
}

function encodeEntry(name: ByteString, value: ByteString, owner: XattrOwner): Buffer | undefined {
  const found = XATTR_PREFIXES.find(([, prefix]) => name.startsWith(prefix));
  if (found === undefined || !isTaken(name, value, owner)) return undefined;
  const [number, prefix] = found;
  if (name.length > NAME_MAX) throw refusal(ERANGE);
  if (value.length > VALUE_MAX) throw refusal(ENOSPC);
  const rest = name.slice(prefix.length);
  const entry = Buffer.alloc(alignUp(XATTR_ENTRY_SIZE + rest.length + value.length, 4));
  entry.writeUInt8(rest.length, 0);
  entry.writeUInt8(number, 1);
  entry.writeUInt16LE(value.length, 2);
  entry.write(rest, XATTR_ENTRY_SIZE, "latin1");
  entry.write(value, XATTR_ENTRY_SIZE + rest.length, "latin1");
  return entry;
}

/** What setxattr(2) would say: EPERM, ENOTSUP and EINVAL are no attribute. */
function isTaken(name: ByteString, value: ByteString, owner: XattrOwner): boolean {
  if (name.endsWith(".")) return false;
  if (name.startsWith("user.")) return owner === "file" || owner === "directory";
  if (name === "security.capability") return isCapability(Buffer.from(value, "latin1"));
  if (name.startsWith("security.") || name.startsWith("trusted.")) return true;
  if (name === "system.posix_acl_access") return owner !== "symlink" && isAcl(value);
  return name === "system.posix_acl_default" && owner === "directory" && isAcl(value);
}

/** struct vfs_cap_data of revision 2, or vfs_ns_cap_data of 3 (linux/capability.h). */
function isCapability(value: Buffer): boolean {
  if (value.length !== 20 && value.length !== 24) return false;
  return value.readUInt32LE(0) >>> 24 === (value.length === 20 ? 2 : 3);
}

/** Version 2, then entries of 8 bytes, at least one (linux/posix_acl_xattr.h). */
function isAcl(value: ByteString): boolean {
  return value.startsWith("\x02\0\0\0") && value.length > 4 && value.length % 8 === 4;
}

function refusal(errno: number): SyscallError {
  return new SyscallError({ name: "setxattr", text: "setxattr()", errno });
}
