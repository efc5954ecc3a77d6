/**
 * PAX extended headers: records of `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record. Only the length says
 * where a record ends: values hold any byte, line feeds included (an xattr value with "\n20 path=…" is data).
 * POSIX.1-2017 pax, "pax Extended Header".
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { limits, TarError, type Timestamp } from "./entry.ts";

/** The records of one extended header. */
export interface PaxRecords {
  /** Last value of each key. For all but attributes an empty value means "as the header has it". */
  readonly values: ReadonlyMap<string, ByteString>;
  /** Offsets and lengths in turn from GNU's sparse format 0.0, which repeats its keys. */
  readonly sparseMap: readonly ByteString[];
}

/** What an entry without a PAX header has. */
export const emptyPax: PaxRecords = { values: new Map(), sparseMap: [] };

/** Longest decimal length that can be meant: limits.headerBytes has seven digits. */
const LENGTH_DIGITS_MAX = 8;
const SPACE = 0x20;
const LINE_FEED = 0x0a;

/**
 * Parses the body of an extended header.
 * @throws {TarError} unless it consists of well-formed records to the last byte
 */
export function parsePax(body: Buffer): PaxRecords {
  const values = new Map<string, ByteString>();
  const sparseMap: ByteString[] = [];
  let at = 0;
  while (at < body.length) {
    const { key, value, next } = parseRecord(body, at);
    at = next;
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
      const wanted = key === "GNU.sparse.offset" ? 0 : 1;
      if (sparseMap.length % 2 !== wanted)
        throw new TarError("Cannot read archive: a sparse map is out of order");
      sparseMap.push(value);
    } else values.set(key, value);
  }
  return { values, sparseMap };
}

function parseRecord(body: Buffer, start: number): { key: string; value: ByteString; next: number } {
  const space = body.indexOf(SPACE, start);
  const digits = space < 0 || space - start > LENGTH_DIGITS_MAX ? "" : body.toString("latin1", start, space);
  const next = start + Number(digits);
  if (!/^[1-9][0-9]*$/.test(digits) || next > body.length || body[next - 1] !== LINE_FEED) {
    throw new TarError("Cannot read archive: an extended header has a record of wrong length");
  }
  const equals = body.indexOf("=", space);
  if (equals <= space + 1 || equals >= next - 1) {
    throw new TarError("Cannot read archive: an extended header has a record without a key");
  }
  const key = body.toString("latin1", space + 1, equals);
  const value = body.toString("latin1", equals + 1, next - 1);
  if (key.includes("\0")) throw new TarError("Cannot read archive: a key of an extended header holds a NUL");
  return { key, value, next };
}

/** Reads a whole number. @throws {TarError} when it is not one, is negative or beyond 2^53. */
export function paxInteger(key: string, value: ByteString): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new TarError(`Cannot read archive: "${key}" of an extended header is not a number in range`);
}

/** Reads seconds with a fraction, rounding down to nanoseconds. @throws {TarError} when it is something else. */
export function paxTime(key: string, value: ByteString): Timestamp {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw new TarError(`Cannot read archive: "${key}" of an extended header is not a time`);
  const [, sign, whole = "0", fraction = ""] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  const seconds = Number(whole);
  if (sign === "") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

const SCHILY_XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";
const noXattrs: ReadonlyMap<ByteString, ByteString> = new Map();

/**
 * Extended attributes: raw bytes under `SCHILY.xattr.NAME`; base64 under `LIBARCHIVE.xattr.NAME` with its name
 * URL-encoded, used where the other form is missing.
 * @throws {TarError} when a value is longer than the kernel takes
 */
export function paxXattrs({ values }: PaxRecords): ReadonlyMap<ByteString, ByteString> {
  if (values.size === 0) return noXattrs;
  let xattrs: Map<ByteString, ByteString> | undefined;
  for (const [key, value] of values) {
    const xattr = decodeXattr(key, value);
    // Without a name it says nothing, as a keyword that nobody knows.
    if (xattr === undefined || xattr.name === "") continue;
    if (xattr.value.length > limits.xattrBytes) {
      throw new TarError(
        `Cannot read archive: an extended attribute has more than ${limits.xattrBytes} bytes`,
      );
    }
    xattrs ??= new Map();
    if (xattr.raw || !xattrs.has(xattr.name)) xattrs.set(xattr.name, xattr.value);
  }
  return xattrs ?? noXattrs;
}

function decodeXattr(
  key: string,
  value: ByteString,
): { name: ByteString; value: ByteString; raw: boolean } | undefined {
  if (key.startsWith(SCHILY_XATTR)) return { name: key.slice(SCHILY_XATTR.length), value, raw: true };
  if (!key.startsWith(LIBARCHIVE_XATTR)) return undefined;
  const name = key
    .slice(LIBARCHIVE_XATTR.length)
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return { name, value: Buffer.from(value, "base64").toString("latin1"), raw: false };
}
