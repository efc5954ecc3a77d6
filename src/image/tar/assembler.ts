/**
 * Merges what describes one entry: its header block, the PAX header and GNU long names before it. A PAX header
 * applies to the next entry only, never to a long-name header between them (GHSA-vmf3-w455-68vh), and its size
 * says how many bytes follow (CVE-2025-62518).
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { type EntryType, limits, type TarEntry, TarError, type Timestamp } from "./entry.ts";
import type { Header } from "./header.ts";
import { emptyPax, type PaxRecords, parsePax, paxInteger, paxTime, paxXattrs } from "./pax.ts";
import { parsePairs, type Segment } from "./sparse.ts";

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "1": "link",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  // "Contiguous file" of POSIX, and the old sparse type: files like any other by now.
  "7": "file",
  S: "file",
};

/** Types whose size field counts nothing that follows: old writers left a link's size in it. */
const HEADER_ONLY = "123456";

/** How a PAX header describes a sparse file. */
export interface PaxSparse {
  readonly realSize: number;
  /** Undefined when the map lies in front of the data (format 1.0). */
  readonly segments: Segment[] | undefined;
}

/** Gathers what describes the next entry, and makes the entry of it. */
export class EntryAssembler {
  #pax: PaxRecords = emptyPax;
  #longPath: ByteString | undefined;
  #longLink: ByteString | undefined;

  /** True when headers wait for an entry to describe. */
  get isPending(): boolean {
    return this.#pax !== emptyPax || this.#longPath !== undefined || this.#longLink !== undefined;
  }

  /**
   * Takes the body of a header that describes the next entry.
   * @param type typeflag: x or X (PAX), g (PAX for all entries: parsed, not applied), L or K (GNU long names)
   */
  addMeta(type: string, body: Buffer): void {
    if (type === "L") this.#longPath = longName(body);
    else if (type === "K") this.#longLink = longName(body);
    else if (type === "g") parsePax(body);
    else {
      // GNU tar adds the second to the first, Go forgets the first.
      if (this.#pax !== emptyPax)
        throw new TarError("Cannot read archive: an entry has two extended headers");
      this.#pax = parsePax(body);
    }
  }

  /** What an entry is called, whether or not that can be meant. */
  nameOf(header: Header): ByteString {
    return this.#longPath ?? this.#value("GNU.sparse.name") ?? this.#value("path") ?? header.name;
  }

  /** Bytes of data that follow the header. @throws {TarError} for a size that is no number. */
  storedSize(header: Header): number {
    const size = this.#value("size");
    if (HEADER_ONLY.includes(header.typeflag)) {
      // GNU tar passes over so many bytes, Go over none: what one of them takes for data is an entry to the other.
      if (size !== undefined && paxInteger("size", size) > 0)
        throw new TarError("Cannot read archive: an entry without content has a size in its extended header");
      return 0;
    }
    return size === undefined ? header.size : paxInteger("size", size);
  }

  /** @returns undefined when the entry is not a sparse file in a PAX format */
  paxSparse(): PaxSparse | undefined {
    if (this.#pax === emptyPax) return undefined;
    const { sparseMap } = this.#pax;
    const map = this.#value("GNU.sparse.map");
    const major = this.#value("GNU.sparse.major");
    const size = this.#value("GNU.sparse.realsize") ?? this.#value("GNU.sparse.size");
    if (map === undefined && major === undefined && sparseMap.length === 0) {
      // GNU tar believes such a size, Go does not.
      if (size === undefined && this.#value("GNU.sparse.name") === undefined) return undefined;
      throw new TarError("Cannot read archive: a sparse file has no map");
    }
    if (size === undefined) throw new TarError("Cannot read archive: a sparse file has no size");
    const realSize = paxInteger("GNU.sparse.size", size);
    const numbers = map === undefined ? sparseMap : map.split(",");
    if (numbers.length > 0) return { realSize, segments: this.#countedPairs(numbers) };
    if (major === "1" && this.#value("GNU.sparse.minor") === "0") return { realSize, segments: undefined };
    throw new TarError(`Cannot read archive: a sparse file has the unknown format "${major}"`);
  }

  /** @throws {TarError} unless there are as many pairs as their count says */
  #countedPairs(numbers: readonly ByteString[]): Segment[] {
    const segments = parsePairs(numbers);
    if (segments.length !== paxInteger("GNU.sparse.numblocks", this.#value("GNU.sparse.numblocks") ?? ""))
      throw new TarError("Cannot read archive: a sparse map has another length than its header says");
    return segments;
  }

  /**
   * Completes an entry and forgets what described it.
   * @param fileSize bytes of the file with its holes
   * @throws {TarError} for an unknown type, and for names or numbers that cannot be meant
   */
  assemble(header: Header, fileSize: number): TarEntry {
    const recorded = this.#value("GNU.sparse.name") ?? this.#value("path");
    const path = oneName(this.#longPath, recorded) ?? header.name;
    const type = typeOf(header, path);
    const entry: TarEntry = {
      path: validName(path, "path"),
      type,
      linkPath: this.#linkPath(header, type),
      size: type === "file" ? fileSize : 0,
      mode: header.mode,
      uid: this.#id("uid", header.uid),
      gid: this.#id("gid", header.gid),
      mtime: this.#time("mtime") ?? { seconds: header.mtime, nanoseconds: 0 },
      atime: this.#time("atime"),
      major: header.major,
      minor: header.minor,
      xattrs: paxXattrs(this.#pax),
    };
    this.#pax = emptyPax;
    this.#longPath = undefined;
    this.#longLink = undefined;
    return entry;
  }

  #linkPath(header: Header, type: EntryType): ByteString {
    if (type !== "link" && type !== "symlink") return "";
    return validName(oneName(this.#longLink, this.#value("linkpath")) ?? header.linkname, "link target");
  }

  #value(key: string): ByteString | undefined {
    if (this.#pax === emptyPax) return undefined;
    const value = this.#pax.values.get(key);
    return value === "" ? undefined : value;
  }

  #id(key: "uid" | "gid", fromHeader: number): number {
    const text = this.#value(key);
    const id = text === undefined ? fromHeader : paxInteger(key, text);
    if (id < 0 || id > limits.id) throw new TarError(`Cannot read archive: an entry has the ${key} ${id}`);
    return id;
  }

  #time(key: "mtime" | "atime"): Timestamp | undefined {
    const text = this.#value(key);
    return text === undefined ? undefined : paxTime(key, text);
  }
}

/** v7 archives had no type for directories: a file whose name ends in "/" is one, to this day. */
function typeOf(header: Header, path: ByteString): EntryType {
  const type = TYPES[header.typeflag];
  if (type === undefined) {
    throw new TarError(
      `Cannot read archive: an entry has the unsupported type ${JSON.stringify(header.typeflag)}`,
    );
  }
  if (type !== "file" || !path.endsWith("/")) return type;
  if (header.typeflag === "0") return "directory";
  throw new TarError("Cannot read archive: the name of a file ends in a slash");
}

/** An entry with both forms of a long name: GNU tar takes the one, Go the other, no honest archive has them. */
function oneName(long: ByteString | undefined, recorded: ByteString | undefined): ByteString | undefined {
  if (long !== undefined && recorded !== undefined && long !== recorded)
    throw new TarError("Cannot read archive: an entry has two different names");
  return long ?? recorded;
}

function longName(body: Buffer): ByteString {
  const end = body.indexOf(0);
  // GNU tar, and whoever imitates it, writes the NUL; without one GNU tar reads on into the padding.
  if (end < 0) throw new TarError("Cannot read archive: a long name has no end");
  return body.toString("latin1", 0, end);
}

function validName(name: ByteString, what: string): ByteString {
  if (name === "" || name.includes("\0"))
    throw new TarError(`Cannot read archive: a ${what} is empty or holds a NUL`);
  if (name.length > limits.pathBytes) {
    throw new TarError(
      `Cannot read archive: a ${what} has ${name.length} bytes, more than ${limits.pathBytes}`,
    );
  }
  return name;
}
