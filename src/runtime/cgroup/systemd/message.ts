/** Messages of D-Bus: a header and a body. Pure. */
import { Reader, splitTypes, type Value, type Variant, Writer } from "./wire.ts";

/** Types of messages. */
export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;

/** Header fields by their codes. */
const FIELDS = [
  ["path", 1, "o"],
  ["interface", 2, "s"],
  ["member", 3, "s"],
  ["errorName", 4, "s"],
  ["replySerial", 5, "u"],
  ["destination", 6, "s"],
  ["sender", 7, "s"],
  ["signature", 8, "g"],
] as const;

/** A message; `body` has a value for each type of `signature`. */
export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
  readonly body: readonly Value[];
}

const LITTLE_ENDIAN = 0x6c;
const PROTOCOL = 1;
/** Bytes from which the length of a message is known: the fixed part and the length of the fields. */
export const PREFIX_SIZE = 16;
/** Longest message by the specification. */
const MESSAGE_SIZE_MAX = 128 << 20;

/** The message as bytes. */
export function encodeMessage(message: Message): Uint8Array {
  const body = new Writer();
  for (const [index, type] of splitTypes(message.signature ?? "").entries()) {
    body.write(type, message.body[index] as Value);
  }
  const bodyBytes = body.bytes;
  const header = new Writer();
  for (const byte of [LITTLE_ENDIAN, message.type, 0, PROTOCOL]) header.write("y", byte);
  header.write("u", bodyBytes.length);
  header.write("u", message.serial);
  const fields = FIELDS.flatMap(([name, code, type]): Value[] => {
    const value = message[name];
    return value === undefined ? [] : [[code, { type, value }]];
  });
  header.write("a(yv)", fields);
  header.align(8);
  const headerBytes = header.bytes;
  const bytes = new Uint8Array(new ArrayBuffer(headerBytes.length + bodyBytes.length));
  bytes.set(headerBytes);
  bytes.set(bodyBytes, headerBytes.length);
  return bytes;
}

/** Length of the whole message by its first {@link PREFIX_SIZE} bytes. @throws {RangeError} for one that nobody sends */
export function messageSize(prefix: Uint8Array): number {
  if (prefix[0] !== LITTLE_ENDIAN)
    throw new RangeError("Cannot read a message of D-Bus: it is not little-endian");
  const view = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_SIZE);
  const fields = view.getUint32(12, true);
  const size = PREFIX_SIZE + Math.ceil(fields / 8) * 8 + view.getUint32(4, true);
  if (size > MESSAGE_SIZE_MAX) throw new RangeError("Cannot read a message of D-Bus: it is too long");
  return size;
}

/** The message of its bytes. @throws {RangeError | SyntaxError} when they are none */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes);
  const [, type = 0] = [0, 1, 2, 3].map(() => reader.read("y") as number);
  reader.read("u");
  const serial = reader.read("u") as number;
  const fields: Record<string, Value> = {};
  for (const [code, variant] of reader.read("a(yv)") as readonly (readonly [number, Variant])[]) {
    const name = FIELDS.find((field) => field[1] === code)?.[0];
    if (name !== undefined) fields[name] = variant.value;
  }
  reader.align(8);
  const body = splitTypes(String(fields["signature"] ?? "")).map((each) => reader.read(each));
  return { type, serial, ...fields, body };
}
