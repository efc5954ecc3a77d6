/**
 * Writes tar archives: ustar headers, with a PAX header in front where ustar cannot say it (POSIX.1-2017 pax). The same
 * entries give the same bytes, and nothing of the caller's machine gets in: no names of users, no times of its own.
 * Nothing is gathered but one entry's headers; the data of files goes past the writer:
 *
 *     header(entry)  data …  padding(size)   header(entry) …   END
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { type EntryType, limits, type TarEntry, TarError, type Timestamp } from "./entry.ts";
import { BLOCK_SIZE } from "./header.ts";

/** What is written of an entry; directories get their "/" at the end, whoever has left it out. */
export type WrittenEntry = Omit<TarEntry, "atime">;

/** What archives may have beyond what every reader needs. */
export interface HeaderOptions {
  /** Keep nanoseconds of times, in a PAX header for each entry that has some [false: whole seconds]. */
  readonly nanoseconds?: boolean;
}

/** The two blocks of zeros after the last entry. */
export const END: Uint8Array = new Uint8Array(2 * BLOCK_SIZE);

/** An archive is a multiple of this (POSIX.1, pax: ustar interchange format). */
const RECORD_SIZE = 10_240;

/** Zeros behind an archive of so many bytes. */
export const recordPadding = (sizeBytes: number): Uint8Array =>
  new Uint8Array((RECORD_SIZE - (sizeBytes % RECORD_SIZE)) % RECORD_SIZE);

const FLAGS: Readonly<Record<EntryType, string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Largest numbers of fields with 7 and 11 octal digits. */
const SEVEN_DIGITS_MAX = 0o7777777;
const ELEVEN_DIGITS_MAX = 0o77777777777;
const PAX_DIRECTORY = "PaxHeaders.0/";

/**
 * The blocks in front of an entry's data.
 * @throws {TarError} for what no reader would take: an extended header that is too long, a path with a NUL
 */
export function header(entry: WrittenEntry, options: HeaderOptions = {}): Buffer {
  const path = entry.type === "directory" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path;
  if (path === "" || path.includes("\0") || entry.linkPath.includes("\0")) {
    throw new TarError("Cannot write archive: a path is empty or holds a NUL");
  }
  if (Math.max(path.length, entry.linkPath.length) > limits.pathBytes) {
    throw new TarError(`Cannot write archive: a path has more than ${limits.pathBytes} bytes`);
  }
  const split = splitPath(path);
  const records = recordsOf({ ...entry, path }, { isLong: split === undefined, options });
  const main = block({ ...entry, ...(split ?? { name: plain(path), prefix: "" }), flag: FLAGS[entry.type] });
  return records.length === 0 ? main : Buffer.concat([...paxBlocks(path, records), main]);
}

/** Zeros that fill up the last block of a file's data. */
export function padding(size: number): Uint8Array {
  return END.subarray(0, (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE);
}

/** Without bytes that PAX readers would take for text in some encoding, and cut: only to be looked at by a person. */
function plain(path: ByteString): ByteString {
  return path
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, NAME_BYTES)
    .replace(/\/+$/, "");
}

/** @returns undefined when the path does not fit, or is not ASCII: then it goes into a PAX header */
function splitPath(path: ByteString): { readonly name: ByteString; readonly prefix: ByteString } | undefined {
  if (!isAscii(path) || path.length > PREFIX_BYTES + 1 + NAME_BYTES) return undefined;
  if (path.length <= NAME_BYTES) return { name: path, prefix: "" };
  // The slash at the end of a directory belongs to its name.
  const at = path.lastIndexOf("/", Math.min(PREFIX_BYTES, path.length - 2));
  if (at <= 0 || path.length - at - 1 > NAME_BYTES) return undefined;
  return { name: path.slice(at + 1), prefix: path.slice(0, at) };
}

const isAscii = (text: ByteString): boolean => !/[\x80-\xff]/.test(text);

type PaxRecord = readonly [key: ByteString, value: ByteString];

function recordsOf(
  entry: WrittenEntry,
  { isLong, options }: { readonly isLong: boolean; readonly options: HeaderOptions },
): PaxRecord[] {
  const { path, linkPath, size, uid, gid, mtime, xattrs } = entry;
  const names: PaxRecord[] = [];
  if (isLong) names.push(["path", path]);
  if (linkPath.length > NAME_BYTES || !isAscii(linkPath)) names.push(["linkpath", linkPath]);
  const records: PaxRecord[] = names.every(([, value]) => isUtf8(value))
    ? names
    : [["hdrcharset", "BINARY"], ...names];
  if (size > ELEVEN_DIGITS_MAX) records.push(["size", String(size)]);
  if (uid > SEVEN_DIGITS_MAX) records.push(["uid", String(uid)]);
  if (gid > SEVEN_DIGITS_MAX) records.push(["gid", String(gid)]);
  const keepsFraction = options.nanoseconds === true && mtime.nanoseconds !== 0;
  if (keepsFraction || mtime.seconds < 0 || mtime.seconds > ELEVEN_DIGITS_MAX) {
    records.push(["mtime", timeText(keepsFraction ? mtime : { ...mtime, nanoseconds: 0 })]);
  }
  const attributes = [...xattrs].sort(([one], [other]) => (one < other ? -1 : 1));
  return [...records, ...attributes.map(([name, value]) => attributeRecord(name, value))];
}

/** A key ends at its first "=": for names with one there is only the form of libarchive, which encodes them. */
function attributeRecord(name: ByteString, value: ByteString): PaxRecord {
  if (!name.includes("=")) return [`SCHILY.xattr.${name}`, value];
  const encoded = name.replace(
    /[^\w.-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return [`LIBARCHIVE.xattr.${encoded}`, Buffer.from(value, "latin1").toString("base64")];
}

function isUtf8(value: ByteString): boolean {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.from(bytes.toString("utf8")).equals(bytes);
}

/** Seconds since 1970 with their fraction, as PAX has it: -1.5 for half a second after -2. */
function timeText({ seconds, nanoseconds }: Timestamp): string {
  if (nanoseconds === 0) return String(seconds);
  const isBefore = seconds < 0;
  const whole = isBefore ? -seconds - 1 : seconds;
  const fraction = String(isBefore ? 1e9 - nanoseconds : nanoseconds).padStart(9, "0");
  return `${isBefore ? "-" : ""}${whole}.${fraction.replace(/0+$/, "")}`;
}

function paxBlocks(path: ByteString, records: readonly PaxRecord[]): Buffer[] {
  const body = Buffer.from(records.map(recordText).join(""), "latin1");
  if (body.length > limits.headerBytes) {
    throw new TarError(`Cannot write archive: the attributes of an entry have ${body.length} bytes`, {
      hint: `Readers take ${limits.headerBytes} bytes for one entry: remove extended attributes`,
    });
  }
  const name = plain(PAX_DIRECTORY + path.replace(/\/$/, "").replace(/^.*\//, ""));
  const fields = { name, prefix: "", flag: "x", linkPath: "", size: body.length, mode: 0o644 };
  const rest = { uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, major: 0, minor: 0 };
  return [block({ ...fields, ...rest }), body, Buffer.from(padding(body.length))];
}

/** `LENGTH KEY=VALUE\n`: the length counts itself. */
function recordText([key, value]: PaxRecord): ByteString {
  const rest = key.length + value.length + " =\n".length;
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length += 1;
  return `${length} ${key}=${value}\n`;
}

interface Fields extends Pick<WrittenEntry, "linkPath" | "size" | "mode" | "uid" | "gid" | "mtime"> {
  readonly name: ByteString;
  readonly prefix: ByteString;
  readonly flag: string;
  readonly major: number;
  readonly minor: number;
}

/** One header block; a number that does not fit is 0, and has its PAX record. Offsets: header.ts. */
function block(fields: Fields): Buffer {
  const { name, prefix, flag, linkPath, size, mode, uid, gid, mtime, major, minor } = fields;
  const bytes = Buffer.alloc(BLOCK_SIZE);
  bytes.write(name, 0, "latin1");
  putOctal(bytes, { at: 100, digits: 7 }, mode);
  putOctal(bytes, { at: 108, digits: 7 }, uid > SEVEN_DIGITS_MAX ? 0 : uid);
  putOctal(bytes, { at: 116, digits: 7 }, gid > SEVEN_DIGITS_MAX ? 0 : gid);
  putOctal(bytes, { at: 124, digits: 11 }, size > ELEVEN_DIGITS_MAX ? 0 : size);
  const { seconds } = mtime;
  putOctal(bytes, { at: 136, digits: 11 }, seconds < 0 || seconds > ELEVEN_DIGITS_MAX ? 0 : seconds);
  bytes.fill(" ", 148, 156);
  bytes.write(flag, 156, "latin1");
  if (linkPath.length <= NAME_BYTES && isAscii(linkPath)) bytes.write(linkPath, 157, "latin1");
  else bytes.write(plain(linkPath), 157, "latin1");
  bytes.write("ustar\u000000", 257, "latin1");
  putOctal(bytes, { at: 329, digits: 7 }, major);
  putOctal(bytes, { at: 337, digits: 7 }, minor);
  bytes.write(prefix, 345, "latin1");
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, "latin1");
  return bytes;
}

interface Field {
  readonly at: number;
  readonly digits: number;
}

function putOctal(bytes: Buffer, { at, digits }: Field, value: number): void {
  const text = value.toString(8).padStart(digits, "0");
  if (text.length > digits) throw new TarError(`Cannot write archive: ${value} is too large for its field`);
  bytes.write(text, at, "latin1");
}
