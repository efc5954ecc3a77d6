/**
 * What setting an access list does to a file, where nothing is set, since the file is written as it shall be (acl(5),
 * "Correspondence between ACL entries and file permission bits"): which lists the kernel refuses, what it keeps of one, and
 * the mode that comes of it.
 *
 *     u32 version, 2; then for each entry: u16 tag, u16 permissions, u32 id      linux/posix_acl_xattr.h
 */
import type { ByteString } from "../../fs/byte_string.ts";

/** The attribute of a file's own list. */
export const ACCESS_LIST = "system.posix_acl_access";
/** The attribute of the list that a directory hands on. */
export const DEFAULT_LIST = "system.posix_acl_default";

const VERSION = 2;
const HEADER_SIZE = 4;
const ENTRY_SIZE = 8;
/** Tags of linux/posix_acl.h; the mask stands for the group where there is one. */
const [OWNER, USER, GROUP, GROUP_MEMBER, MASK, OTHER] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20] as const;
const PERMISSIONS = 0o7;
/** Id of an entry that names nobody, which none that names somebody may have. */
const NOBODY = 0xffff_ffff;
const LETTERS = new Map<number, string>([
  [OWNER, "o"],
  [USER, "U"],
  [GROUP, "g"],
  [GROUP_MEMBER, "G"],
  [MASK, "m"],
  [OTHER, "r"],
]);
/** Of an entry's letters: what names somebody needs a mask. */
const ORDER = /^o(?:g|U*gG*m)r$/;

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/** A list as the kernel takes it. */
export interface AccessList {
  /** Permission bits of the file that it is set on. */
  readonly permissions: number;
  /** Says no more than permission bits do: nothing of it is kept beside them. */
  readonly isMinimal: boolean;
  /** What is kept, and shown to who asks. */
  readonly stored: ByteString;
}

/** @returns undefined for what setxattr(2) refuses (posix_acl_valid() in the kernel) */
export function parseAccessList(text: ByteString): AccessList | undefined {
  const list = Buffer.from(text, "latin1");
  if (list.length % ENTRY_SIZE !== HEADER_SIZE || list.readUInt32LE(0) !== VERSION) return undefined;
  const entries = entriesOf(list);
  const order = entries.map(({ tag }) => LETTERS.get(tag) ?? "?").join("");
  if (!ORDER.test(order) || !entries.every(isValid)) return undefined;
  for (const [index, { tag }] of entries.entries())
    if (!namesSomebody(tag)) list.writeUInt32LE(NOBODY, HEADER_SIZE + index * ENTRY_SIZE + 4);
  const of = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.permissions;
  const group = of(MASK) ?? of(GROUP) ?? 0;
  return {
    permissions: ((of(OWNER) ?? 0) << 6) | (group << 3) | (of(OTHER) ?? 0),
    isMinimal: of(MASK) === undefined,
    stored: list.toString("latin1"),
  };
}

/** The mode of a file that has these attributes: `mode` unless an access list says otherwise. */
export function modeWithList(mode: number, xattrs: ReadonlyMap<ByteString, ByteString>): number {
  const text = xattrs.get(ACCESS_LIST);
  const list = text === undefined ? undefined : parseAccessList(text);
  return list === undefined ? mode : (mode & ~0o777) | list.permissions;
}

function entriesOf(list: Buffer): readonly Entry[] {
  return Array.from({ length: (list.length - HEADER_SIZE) / ENTRY_SIZE }, (_, index) => {
    const at = HEADER_SIZE + index * ENTRY_SIZE;
    return {
      tag: list.readUInt16LE(at),
      permissions: list.readUInt16LE(at + 2),
      id: list.readUInt32LE(at + 4),
    };
  });
}

const namesSomebody = (tag: number): boolean => tag === USER || tag === GROUP_MEMBER;

const isValid = ({ tag, permissions, id }: Entry): boolean =>
  (permissions & ~PERMISSIONS) === 0 && !(namesSomebody(tag) && id === NOBODY);
