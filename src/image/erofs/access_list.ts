/**
 * What setting an access list does to a file's mode, where nothing is set, since the file is written as it shall be (acl(5),
 * "Correspondence between ACL entries and file permission bits").
 *
 *     u32 version, 2; then for each entry: u16 tag, u16 permissions, u32 id      linux/posix_acl_xattr.h
 */
import type { ByteString } from "../../fs/byte_string.ts";

const ACCESS_LIST = "system.posix_acl_access";
const VERSION = 2;
const HEADER_SIZE = 4;
const ENTRY_SIZE = 8;
/** Tags of linux/posix_acl.h; the mask stands for the group where there is one. */
const [OWNER, GROUP, MASK, OTHER] = [0x01, 0x04, 0x10, 0x20] as const;

/** The mode of a file that has these attributes: `mode` unless an access list says otherwise. */
export function modeWithList(mode: number, xattrs: ReadonlyMap<ByteString, ByteString>): number {
  const text = xattrs.get(ACCESS_LIST);
  const permissions = text === undefined ? undefined : permissionsOf(Buffer.from(text, "latin1"));
  return permissions === undefined ? mode : (mode & ~0o777) | permissions;
}

function permissionsOf(list: Buffer): number | undefined {
  if (list.length < HEADER_SIZE || list.readUInt32LE(0) !== VERSION) return undefined;
  const entries = new Map<number, number>();
  for (let at = HEADER_SIZE; at + ENTRY_SIZE <= list.length; at += ENTRY_SIZE) {
    entries.set(list.readUInt16LE(at), list.readUInt16LE(at + 2) & 0o7);
  }
  const [owner, other] = [entries.get(OWNER), entries.get(OTHER)];
  const group = entries.get(MASK) ?? entries.get(GROUP);
  if (owner === undefined || group === undefined || other === undefined) return undefined;
  return (owner << 6) | (group << 3) | other;
}
