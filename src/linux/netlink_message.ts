/**
 * Messages of netlink(7) as bytes: a header, a structure of the family, and attributes, each padded to four bytes.
 *
 *     0 u32 length of all   4 u16 type   6 u16 flags   8 u32 sequence   12 u32 port   16 structure, attributes
 *     attribute: 0 u16 length with these four bytes   2 u16 type   4 data
 *
 * A length that does not fit into its 16 bits is refused, for the kernel would read what follows as attributes
 * (CVE-2021-43784). What is read is bounded by the bytes that are there.
 */

const HEADER_SIZE = 16;
const ATTRIBUTE_HEADER_SIZE = 4;
/** Longest data of an attribute: its length with the header has 16 bits. */
export const ATTRIBUTE_DATA_MAX = 65535 - ATTRIBUTE_HEADER_SIZE;
/** Of an attribute's type: the rest says how its data is to be read. */
const TYPE_MASK = 0x3fff;

/** An attribute: its type, and its data. */
export type Attribute = readonly [type: number, data: Uint8Array];

/** A message without sequence and port, which belong to the socket. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  /** The structure that the family has before its attributes. */
  readonly header: Uint8Array;
  readonly attributes: readonly Attribute[];
}

/** A message that was received. */
export interface ReceivedMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** All after the message's header. */
  readonly payload: Uint8Array;
}

const align = (size: number): number => (size + 3) & ~3;

/** Encodes a message. @throws {RangeError} for an attribute that is too long for its length field. */
export function encodeMessage(message: NetlinkMessage, sequence: number): Uint8Array {
  const { header, attributes } = message;
  const sizes = attributes.map(([type, data]) => {
    if (data.length > ATTRIBUTE_DATA_MAX) {
      throw new RangeError(
        `Cannot encode attribute ${type} of netlink: its ${data.length} bytes are more than ${ATTRIBUTE_DATA_MAX}`,
      );
    }
    return align(ATTRIBUTE_HEADER_SIZE + data.length);
  });
  const length = sizes.reduce((sum, size) => sum + size, HEADER_SIZE + align(header.length));
  const bytes = new Uint8Array(new ArrayBuffer(length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(header, HEADER_SIZE);
  let at = HEADER_SIZE + align(header.length);
  for (const [index, [type, data]] of attributes.entries()) {
    view.setUint16(at, ATTRIBUTE_HEADER_SIZE + data.length, true);
    view.setUint16(at + 2, type, true);
    bytes.set(data, at + ATTRIBUTE_HEADER_SIZE);
    at += sizes[index] as number;
  }
  return bytes;
}

/** The messages of one datagram. @throws {RangeError} when a length leads out of it. */
export function decodeMessages(bytes: Uint8Array): readonly ReceivedMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: ReceivedMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + HEADER_SIZE <= bytes.length ? view.getUint32(at, true) : 0;
    if (length < HEADER_SIZE || length > bytes.length - at) throw malformed("message", at);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.slice(at + HEADER_SIZE, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Attributes by type, after a structure of `headerSize` bytes. @throws {RangeError} when a length leads out of `payload`. */
export function decodeAttributes(payload: Uint8Array, headerSize: number): ReadonlyMap<number, Uint8Array> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const attributes = new Map<number, Uint8Array>();
  for (let at = align(headerSize); at < payload.length; ) {
    const length = at + ATTRIBUTE_HEADER_SIZE <= payload.length ? view.getUint16(at, true) : 0;
    if (length < ATTRIBUTE_HEADER_SIZE || length > payload.length - at) throw malformed("attribute", at);
    const type = view.getUint16(at + 2, true) & TYPE_MASK;
    attributes.set(type, payload.slice(at + ATTRIBUTE_HEADER_SIZE, at + length));
    at += align(length);
  }
  return attributes;
}

const malformed = (what: string, at: number): RangeError =>
  new RangeError(
    `Cannot read the answer of netlink: the ${what} at byte ${at} has a length that leads out of it`,
  );
