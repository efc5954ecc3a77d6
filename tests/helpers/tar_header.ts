/**
 * The 512-byte header block of a tar archive and the records of PAX extended headers, in bytes. Every field may hold
 * what a decent archive would not (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").
 */

/** `v7` and `ustar` refuse what does not fit; `gnu` uses L/K entries and base-256; `pax` uses extended headers. */
export type TarFormat = "v7" | "ustar" | "gnu" | "pax";

export type Bytes = string | Uint8Array;

/** Key and value of one PAX record; a key may come twice. */
export type PaxRecord = readonly [key: string, value: Bytes];

export const BLOCK_BYTES = 512;

/** Offset and length of each header field. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  uname: [265, 32],
  gname: [297, 32],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [number, number]>;

type FieldName = keyof typeof FIELDS;

const MAGIC: Readonly<Record<TarFormat, string>> = {
  v7: "",
  ustar: "ustar\x0000",
  pax: "ustar\x0000",
  gnu: "ustar  \0",
};

/** Values of the header's fields; a number is written in octal, or in base 256 when it does not fit. */
export type HeaderFields = { [Name in FieldName]?: number | Bytes } & { format: TarFormat };

/** The UTF-8 bytes of text; bytes are returned as they are. */
export function bytesOf(value: Bytes): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}

/** One array that holds all `parts` in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** `data` followed by zeros up to the next block boundary. */
export function paddedToBlock(data: Uint8Array): Uint8Array[] {
  const rest = data.length % BLOCK_BYTES;
  return rest === 0 ? [data] : [data, new Uint8Array(BLOCK_BYTES - rest)];
}

/** A PAX extended header body: records of `"<length> <key>=<value>\n"`, where the length counts itself. */
export function encodePaxRecords(records: readonly PaxRecord[]): Uint8Array {
  return concatBytes(records.map(encodePaxRecord));
}

function encodePaxRecord([key, value]: PaxRecord): Uint8Array {
  const body = concatBytes([bytesOf(` ${key}=`), bytesOf(value), bytesOf("\n")]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return concatBytes([bytesOf(String(length)), body]);
}

/** One header block with its checksum; `fields.checksum` replaces the right one. */
export function encodeHeader(fields: HeaderFields): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const values: HeaderFields = { magic: MAGIC[fields.format], ...fields };
  for (const [name, [offset, length]] of Object.entries(FIELDS) as [FieldName, readonly [number, number]][]) {
    const value = values[name];
    if (value === undefined || name === "checksum") continue;
    block.set(
      typeof value === "number" ? encodeNumber(value, length) : bytesOf(value).subarray(0, length),
      offset,
    );
  }
  writeChecksum(block, typeof fields.checksum === "number" ? fields.checksum : undefined);
  return block;
}

/** Computes the checksum of `block` as if its field were spaces, and stores it or the given wrong one. */
export function writeChecksum(block: Uint8Array, wrong?: number): void {
  const [offset, length] = FIELDS.checksum;
  block.fill(0x20, offset, offset + length);
  const sum = wrong ?? block.reduce((total, byte) => total + byte, 0);
  block.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), offset);
}

/** Octal digits and a NUL; base 256 (first bit set) when the number is negative or too large. */
export function encodeNumber(value: number, length: number): Uint8Array {
  const digits = value.toString(8);
  if (value >= 0 && digits.length < length) return bytesOf(`${digits.padStart(length - 1, "0")}\0`);
  const field = new Uint8Array(length);
  let rest = BigInt(value);
  for (let index = length - 1; index >= 0; index--) {
    field[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = value < 0 ? 0xff : 0x80;
  return field;
}

/** An entry that describes the next one: PAX `x` and `g`, GNU `L` and `K`. */
export function metaEntry(
  type: string,
  name: string,
  data: Uint8Array,
  format: TarFormat = "ustar",
): Uint8Array[] {
  const fields: HeaderFields = {
    format,
    name,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    mtime: 0,
    type,
  };
  return [encodeHeader(fields), ...paddedToBlock(data)];
}
