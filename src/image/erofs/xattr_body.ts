/**
 * Extended attributes behind an inode: a header of 12 bytes, then entries { length of the name without its prefix, number
 * of the prefix, length of the value } with name and value, each a multiple of 4 bytes long. What a directory on a disk
 * would refuse is left out here too.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { ENOSPC, ERANGE } from "../../linux/abi/errno.ts";
import { SyscallError } from "../../linux/call.ts";
import { ACCESS_LIST, DEFAULT_LIST, parseAccessList } from "./access_list.ts";
import { alignUp } from "./format.ts";

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
  [2, ACCESS_LIST],
  [3, DEFAULT_LIST],
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

/** A list without entries. */
const EMPTY_LIST = "\x02\0\0\0";
/** An attribute that is taken, and of which nothing stays. */
const NOTHING_KEPT = Symbol("nothing kept");
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
    else if (part.length > 0) parts.push(part);
  }
  if (parts.length === 0) return skipped === 0 ? NOTHING : { ...NOTHING, skipped };
  const bytes = Buffer.concat([Buffer.alloc(XATTR_HEADER_SIZE), ...parts]);
  if (bytes.length > XATTR_BYTES_MAX) throw refusal(ENOSPC);
  return { bytes, skipped };
}

/** @returns undefined for what is refused */
function encodeEntry(name: ByteString, value: ByteString, owner: XattrOwner): Buffer | undefined {
  const found = XATTR_PREFIXES.find(([, prefix]) => name.startsWith(prefix));
  if (found === undefined) return undefined;
  const [number, prefix] = found;
  const rest = name.slice(prefix.length);
  // Prefixes of a whole name have nothing behind them.
  if ((rest === "") === prefix.endsWith(".")) return undefined;
  const kept = keptOf(name, value, owner);
  if (kept === undefined) return undefined;
  if (kept === NOTHING_KEPT) return Buffer.alloc(0);
  if (name.length > NAME_MAX) throw refusal(ERANGE);
  if (kept.length > VALUE_MAX) throw refusal(ENOSPC);
  const entry = Buffer.alloc(alignUp(XATTR_ENTRY_SIZE + rest.length + kept.length, 4));
  entry.writeUInt8(rest.length, 0);
  entry.writeUInt8(number, 1);
  entry.writeUInt16LE(kept.length, 2);
  entry.write(rest, XATTR_ENTRY_SIZE, "latin1");
  entry.write(kept, XATTR_ENTRY_SIZE + rest.length, "latin1");
  return entry;
}

/** What setxattr(2) would keep; undefined where it says EPERM, ENOTSUP or EINVAL. */
function keptOf(
  name: ByteString,
  value: ByteString,
  owner: XattrOwner,
): ByteString | typeof NOTHING_KEPT | undefined {
  if (name === ACCESS_LIST || name === DEFAULT_LIST) return keptList(name, value, owner);
  if (name.startsWith("user.")) return owner === "file" || owner === "directory" ? value : undefined;
  if (name === "security.capability") return isCapability(Buffer.from(value, "latin1")) ? value : undefined;
  return value;
}

function keptList(
  name: ByteString,
  value: ByteString,
  owner: XattrOwner,
): ByteString | typeof NOTHING_KEPT | undefined {
  const isOwners = name === ACCESS_LIST ? owner !== "symlink" : owner === "directory";
  if (!isOwners) return undefined;
  // No entries: the list that there is, none, is removed.
  if (value === EMPTY_LIST) return NOTHING_KEPT;
  const list = parseAccessList(value);
  return name === ACCESS_LIST && list?.isMinimal ? NOTHING_KEPT : list?.stored;
}

/** struct vfs_cap_data of revision 2, or vfs_ns_cap_data of 3 with the root's id (linux/capability.h). */
function isCapability(value: Buffer): boolean {
  if (value.length !== 20 && value.length !== 24) return false;
  // The revision, and a bit that makes all of them effective.
  const revision = value.readUInt32LE(0) & ~1;
  if (value.length === 20) return revision === 0x0200_0000;
  return revision === 0x0300_0000 && value.readUInt32LE(20) !== 0xffff_ffff;
}

function refusal(errno: number): SyscallError {
  return new SyscallError({ name: "setxattr", text: "setxattr()", errno });
}
