/**
 * Makes tar archives in memory, well-formed or deliberately not: v7, ustar, GNU and PAX, every entry type, sparse
 * files, extended attributes, binary names. Each header field can be overridden, since hostile archives are the point.
 * It writes only what it is told: no parent directory is implied, nothing is sorted.
 */
import {
  type Bytes,
  bytesOf,
  concatBytes,
  encodeHeader,
  encodePaxRecords,
  type HeaderFields,
  metaEntry,
  type PaxRecord,
  paddedToBlock,
  type TarFormat,
} from "./tar_header.ts";
import { gnuSparseBlocks, paxSparse, type SparseFile } from "./tar_sparse.ts";

export type TarEntryType = "file" | "hardlink" | "symlink" | "char" | "block" | "dir" | "fifo" | "contiguous";

/** One entry; whatever is left out has the default in brackets. */
export interface TarEntry {
  /** Name in the archive; bytes when it is not UTF-8. A directory's trailing slash is the caller's to write. */
  readonly name: Bytes;
  /** A {@link TarEntryType}, or one raw type-flag character such as `"g"` [file; dir when the name ends with "/"]. */
  readonly type?: TarEntryType | (string & {});
  readonly data?: Bytes;
  /** Target of a symbolic or hard link [""]. */
  readonly link?: Bytes;
  /** Permission bits [0o755 for directories, 0o777 for symbolic links, else 0o644]. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly uname?: string;
  readonly gname?: string;
  /** Seconds since 1970; a decimal string keeps nanoseconds; a fraction or a negative number makes a PAX record [1700000000]. */
  readonly mtime?: number | string;
  readonly major?: number;
  readonly minor?: number;
  /** Written as `SCHILY.xattr.<name>` PAX records, in whatever format the entry has. */
  readonly xattrs?: Readonly<Record<string, Bytes>>;
  /** Further PAX records, written before those that this module makes itself. */
  readonly pax?: readonly PaxRecord[];
  readonly format?: TarFormat;
  readonly sparse?: SparseFile;
  /** The size field, when it shall not be the length of `data`. */
  readonly size?: number;
  /** The checksum field, when it shall be wrong. */
  readonly checksum?: number;
}

export interface TarOptions {
  /** Format of entries that name none [pax]. */
  readonly format?: TarFormat;
  /** Whether the two zero blocks follow the last entry [true]. */
  readonly endMarker?: boolean;
}

const END_MARKER_BYTES = 1024;
const NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
const OCTAL_ID_MAX = 0o7777777;
const DEFAULT_MTIME = 1_700_000_000;

const TYPE_FLAGS: Readonly<Record<string, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  dir: "5",
  fifo: "6",
  contiguous: "7",
} satisfies Record<TarEntryType, string>;

/** The bytes of one archive. */
export function buildTar(entries: readonly TarEntry[], options: TarOptions = {}): Uint8Array<ArrayBuffer> {
  const parts = entries.flatMap((entry) => entryBlocks(entry, entry.format ?? options.format ?? "pax"));
  if (options.endMarker !== false) parts.push(new Uint8Array(END_MARKER_BYTES));
  return concatBytes(parts);
}

function entryBlocks(entry: TarEntry, format: TarFormat): Uint8Array[] {
  const { sparse, ...plain } = entry;
  if (sparse?.form === "gnu") return gnuSparseBlocks(headerFields(entry, "gnu"), sparse);
  if (sparse !== undefined) {
    const { name, data, records } = paxSparse(entry.name, sparse);
    return entryBlocks({ ...plain, name, data, pax: [...(entry.pax ?? []), ...records] }, "pax");
  }
  const fields = headerFields(entry, format);
  const records = [...(entry.pax ?? []), ...ownRecords(entry, format)];
  const before = placeNames(entry, fields, records);
  if (records.length > 0) before.push(...metaEntry("x", "PaxHeaders/entry", encodePaxRecords(records)));
  return [...before, encodeHeader(fields), ...paddedToBlock(bytesOf(entry.data ?? ""))];
}

function headerFields(entry: TarEntry, format: TarFormat): HeaderFields {
  const type = typeFlag(entry);
  const mtime = Math.floor(Number(entry.mtime ?? DEFAULT_MTIME));
  const owner = { uname: entry.uname ?? "", gname: entry.gname ?? "" };
  const device = { major: entry.major ?? 0, minor: entry.minor ?? 0 };
  return {
    format,
    name: entry.name,
    mode: entry.mode ?? defaultMode(type),
    uid: octalOrZero(entry.uid ?? 0, format),
    gid: octalOrZero(entry.gid ?? 0, format),
    ...(entry.sparse === undefined ? { size: entry.size ?? bytesOf(entry.data ?? "").length } : {}),
    mtime: format === "gnu" ? mtime : Math.max(0, mtime),
    type,
    ...(format === "v7" ? {} : { ...owner, ...device }),
    ...(entry.checksum === undefined ? {} : { checksum: entry.checksum }),
  };
}

function octalOrZero(id: number, format: TarFormat): number {
  return format === "pax" && id > OCTAL_ID_MAX ? 0 : id;
}

/** Records for what the header cannot say. */
function ownRecords(entry: TarEntry, format: TarFormat): PaxRecord[] {
  const records = Object.entries(entry.xattrs ?? {}).map(
    ([key, value]): PaxRecord => [`SCHILY.xattr.${key}`, value],
  );
  if (format !== "pax") return records;
  const mtime = entry.mtime ?? DEFAULT_MTIME;
  if (Number(mtime) < 0 || !Number.isInteger(mtime)) records.push(["mtime", String(mtime)]);
  for (const key of ["uid", "gid"] as const) {
    const id = entry[key] ?? 0;
    if (id > OCTAL_ID_MAX) records.push([key, String(id)]);
  }
  return records;
}

/** Puts name and link target where they fit, into `fields` or `records`; returns the GNU entries that come first. */
function placeNames(entry: TarEntry, fields: HeaderFields, records: PaxRecord[]): Uint8Array[] {
  const before: Uint8Array[] = [];
  for (const key of ["link", "name"] as const) {
    const text = bytesOf(entry[key] ?? "");
    fields[key] = text.subarray(0, NAME_BYTES_MAX);
    if (text.length <= NAME_BYTES_MAX) continue;
    if (fields.format === "pax") records.push([key === "name" ? "path" : "linkpath", text]);
    else if (fields.format === "gnu") before.push(...longName(key === "name" ? "L" : "K", text));
    else if (key === "name" && fields.format === "ustar") Object.assign(fields, splitName(text));
    else
      throw new RangeError(
        `Cannot write a name of ${text.length} bytes: ${fields.format} holds ${NAME_BYTES_MAX}`,
      );
  }
  return before;
}

function longName(type: "L" | "K", text: Uint8Array): Uint8Array[] {
  return metaEntry(type, "././@LongLink", concatBytes([text, new Uint8Array(1)]), "gnu");
}

function splitName(name: Uint8Array): { prefix: Uint8Array; name: Uint8Array } {
  const slash = name.lastIndexOf(0x2f, PREFIX_BYTES_MAX);
  if (slash <= 0 || name.length - slash - 1 > NAME_BYTES_MAX) {
    throw new RangeError(`Cannot split a name of ${name.length} bytes: ustar holds 155 + "/" + 100`);
  }
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) };
}

function typeFlag(entry: TarEntry): string {
  if (entry.type !== undefined) return TYPE_FLAGS[entry.type] ?? entry.type;
  return bytesOf(entry.name).at(-1) === 0x2f ? "5" : "0";
}

function defaultMode(type: string): number {
  if (type === "5") return 0o755;
  return type === "2" ? 0o777 : 0o644;
}
