/**
 * The 512-byte header block of v7, ustar, GNU and star archives: fields by offset, numbers, checksum.
 * POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 *
 *   offset size field       offset size field         GNU, in place of prefix
 *        0  100 name           157  100 linkname         345  12 atime   357 12 ctime
 *      100    8 mode           257    6 magic            386  96 sparse map: 4 x (offset 12, length 12)
 *      108    8 uid            263    2 version          482   1 another map block follows
 *      116    8 gid            329    8 devmajor         483  12 size of the file with its holes
 *      124   12 size           337    8 devminor
 *      136   12 mtime          345  155 prefix (131 in star archives, which end in "tar\0")
 *      148    8 checksum
 *      156    1 typeflag
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { TarError } from "./entry.ts";

/** Bytes of a header, and what data is padded to. */
export const BLOCK_SIZE = 512;

/** Families of headers, told apart by their magic. */
export type HeaderFormat = "v7" | "ustar" | "gnu" | "star";

/** The fields of one header block, decoded; device numbers are 0 where the format has none. */
export interface Header {
  readonly format: HeaderFormat;
  /** One character; "0" for the NUL of v7. */
  readonly typeflag: string;
  /** With the prefix joined by "/". */
  readonly name: ByteString;
  readonly linkname: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of data after the header, before padding. */
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

const NUL = 0;
const SPACE = 0x20;
const ZERO = 0x30;
const SEVEN = 0x37;
const CHECKSUM_OFFSET = 148;
const CHECKSUM_END = 156;

/** True for a block of zeros: the first of two that end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  for (let index = 0; index < BLOCK_SIZE; index += 1) if (block[index] !== 0) return false;
  return true;
}

/**
 * Decodes a header block.
 * @param block 512 bytes; nothing of it is kept
 * @throws {TarError} when the checksum is wrong or a number cannot be read
 */
export function parseHeader(block: Buffer): Header {
  verifyChecksum(block);
  const format = formatOf(block);
  const device = format !== "v7";
  return {
    format,
    typeflag: block[156] === NUL ? "0" : String.fromCharCode(block[156] ?? 0),
    name: joinPrefix(block, format),
    linkname: text(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    major: device ? number(block, 329, 8) : 0,
    minor: device ? number(block, 337, 8) : 0,
  };
}

/** Bytes up to the first NUL of a field. */
export function text(block: Buffer, offset: number, length: number): ByteString {
  if (block[offset] === NUL) return "";
  let end = offset;
  while (end < offset + length && block[end] !== NUL) end += 1;
  return block.toString("latin1", offset, end);
}

/**
 * A number field: octal digits between spaces and NULs, or two's complement in base 256 when the first bit is set.
 * @throws {TarError} for other characters, and for values beyond 2^53
 */
export function number(block: Buffer, offset: number, length: number): number {
  return ((block[offset] ?? 0) & 0x80) !== 0 ? base256(block, offset, length) : octal(block, offset, length);
}

function octal(block: Buffer, offset: number, length: number): number {
  const end = offset + length;
  let at = offset;
  while (at < end && (block[at] === SPACE || block[at] === NUL)) at += 1;
  let value = 0;
  for (; at < end; at += 1) {
    const byte = block[at] ?? 0;
    if (byte === SPACE || byte === NUL) break;
    if (byte < ZERO || byte > SEVEN) throw new TarError("Cannot read archive: a number field is not octal");
    value = value * 8 + (byte - ZERO);
  }
  return value;
}

function base256(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  const negative = (first & 0x40) !== 0;
  // Bit 7 is only the marker; bit 6 is the sign, which fills the marker's place.
  let value = negative ? (first | 0x80) - 256 : first & 0x7f;
  for (let index = 1; index < length; index += 1) value = value * 256 + (block[offset + index] ?? 0);
  if (!Number.isSafeInteger(value)) throw new TarError("Cannot read archive: a number field is beyond 2^53");
  return value;
}

/** By bytes, not texts: this is done for every entry. */
function formatOf(block: Buffer): HeaderFormat {
  if (hasText(block, 257, "ustar  \0")) return "gnu";
  if (!hasText(block, 257, "ustar\0")) return "v7";
  return hasText(block, 508, "tar\0") ? "star" : "ustar";
}

function hasText(block: Buffer, offset: number, wanted: string): boolean {
  for (let index = 0; index < wanted.length; index += 1)
    if (block[offset + index] !== wanted.charCodeAt(index)) return false;
  return true;
}

function joinPrefix(block: Buffer, format: HeaderFormat): ByteString {
  const name = text(block, 0, 100);
  if (format === "v7" || format === "gnu" || block[345] === NUL) return name;
  return `${text(block, 345, format === "star" ? 131 : 155)}/${name}`;
}

/** A header as words, which sum up four bytes at a time. */
const words = new Int32Array(BLOCK_SIZE / 4);
const bytesOfWords = new Uint8Array(words.buffer);
/** Every other byte of a word: two sums in one number, which do not meet, as 256 bytes add up to less than 2^16. */
const EVEN_BYTES = 0x00ff00ff;

/** Historic writers summed signed characters: both sums are accepted, as everywhere. */
function verifyChecksum(block: Buffer): void {
  const sum = sumOf(block);
  const stored = octal(block, CHECKSUM_OFFSET, CHECKSUM_END - CHECKSUM_OFFSET);
  if (stored === sum || stored === sum - 256 * countNegatives(block)) return;
  throw new TarError("Cannot read archive: the checksum of a header is wrong");
}

/** Sum of all bytes, with spaces in place of the checksum. */
function sumOf(block: Buffer): number {
  bytesOfWords.set(block);
  bytesOfWords.fill(SPACE, CHECKSUM_OFFSET, CHECKSUM_END);
  let sums = 0;
  for (let index = 0; index < BLOCK_SIZE / 4; index += 1) {
    const word = words[index] ?? 0;
    sums = (sums + (word & EVEN_BYTES) + ((word >>> 8) & EVEN_BYTES)) | 0;
  }
  return (sums & 0xffff) + (sums >>> 16);
}

function countNegatives(block: Buffer): number {
  let negatives = 0;
  for (let index = 0; index < BLOCK_SIZE; index += 1)
    if ((index < CHECKSUM_OFFSET || index >= CHECKSUM_END) && (block[index] ?? 0) > 127) negatives += 1;
  return negatives;
}
