/**
 * One entry of a tar archive, as the reader hands it on: decoded, merged from all header forms, not yet judged.
 * Names are bytes in an archive, so they are kept as {@link ByteString}s end to end.
 */
import { BunkerError } from "../../errors.ts";
import type { ByteString } from "../../fs/byte_string.ts";

/** Kinds of entries; `link` is a hard link. */
export type EntryType = "file" | "directory" | "symlink" | "link" | "char" | "block" | "fifo";

/** A point in time with the kernel's resolution; `nanoseconds` is 0 to 999999999, also before 1970. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** One entry, whichever format it was written in. */
export interface TarEntry {
  /** As in the archive: may be absolute, hold "..", or end in "/". Never empty, without NUL. */
  readonly path: ByteString;
  readonly type: EntryType;
  /** Target of a symlink (any text) or of a hard link (a path in the archive); "" otherwise. */
  readonly linkPath: ByteString;
  /** Bytes of the file's content, holes included; 0 for everything but files. */
  readonly size: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly atime: Timestamp | undefined;
  /** Device numbers, 0 for everything but devices. */
  readonly major: number;
  readonly minor: number;
  /** Extended attributes by name; values are bytes. */
  readonly xattrs: ReadonlyMap<ByteString, ByteString>;
}

/** An archive breaks its format or a limit; the message names the place. */
export class TarError extends BunkerError {
  readonly code = "ARCHIVE_INVALID";
}

/** Limits that hold for every archive, whoever made it. */
export const limits = {
  /** Entries of one archive. */
  entries: 5_000_000,
  /** Bytes of one extended header (as in Go's archive/tar; there it is ignored, here it is an error). */
  headerBytes: 1 << 20,
  /** Bytes of a path: PATH_MAX of the kernel without its NUL. */
  pathBytes: 4095,
  /** Bytes of one extended attribute's value: XATTR_SIZE_MAX. */
  xattrBytes: 65536,
  /** Bytes of a sparse file's map, whichever way it is written (CVE-2025-58183). */
  sparseMapBytes: 1 << 20,
  /** Largest numeric owner; 2^32-1 means "unchanged" to chown(2). */
  id: 0xfffffffe,
} as const;
