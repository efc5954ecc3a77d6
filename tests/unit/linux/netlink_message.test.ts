/** Messages of netlink as bytes; CVE-2021-43784: a length of 16 bits that wrapped around. */
import { describe, expect, test } from "bun:test";
import {
  ATTRIBUTE_DATA_MAX,
  type Attribute,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
} from "../../../src/linux/netlink_message.ts";

const header = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

const encode = (...attributes: readonly Attribute[]): Uint8Array =>
  encodeMessage({ type: 16, flags: 5, header, attributes }, 7);

const filled = (length: number): Uint8Array => new Uint8Array(length).fill(0x2a);

describe("encodeMessage()", () => {
  test.each([0, 1, 3, 4, ATTRIBUTE_DATA_MAX - 1, ATTRIBUTE_DATA_MAX])(
    "keeps an attribute of %d bytes",
    (length) => {
      const [message] = decodeMessages(encode([3, filled(length)], [9, filled(2)]));

      expect(message).toMatchObject({ type: 16, flags: 5, sequence: 7 });
      const attributes = decodeAttributes(message?.payload ?? new Uint8Array(), header.length);
      expect([...attributes].map(([type, data]) => [type, data.length])).toEqual([
        [3, length],
        [9, 2],
      ]);
    },
  );

  test.each([65_532, 65_535, 65_536, 65_540, 131_072])(
    "refuses an attribute of %d bytes, whose length would wrap around",
    (length) => {
      expect(() => encode([3, filled(length)])).toThrow(
        `Cannot encode attribute 3 of netlink: its ${length} bytes are more than 65531`,
      );
    },
  );

  test("is undone by decoding, for attributes of any length", () => {
    const attributes = Array.from(
      { length: 200 },
      (_, index): Attribute => [index + 1, filled((index * 37) % 301)],
    );

    const [message] = decodeMessages(encode(...attributes));

    expect([...decodeAttributes(message?.payload ?? new Uint8Array(), header.length)]).toEqual(
      attributes.map(([type, data]) => [type, data]),
    );
  });
});

describe("decodeMessages()", () => {
  test("reads several messages of one datagram", () => {
    const bytes = encode([3, filled(5)]);

    expect(decodeMessages(Uint8Array.of(...bytes, ...bytes))).toHaveLength(2);
  });

  test.each([0, 15, 33, 0xffffffff])("refuses a message whose length says %d", (length) => {
    const bytes = encode([3, filled(4)]);
    new DataView(bytes.buffer).setUint32(0, length, true);

    expect(() => decodeMessages(bytes)).toThrow("a length that leads out of it");
  });

  test("refuses a datagram that is cut off", () => {
    expect(() => decodeMessages(encode().subarray(0, 10))).toThrow("a length that leads out of it");
  });
});

describe("decodeAttributes()", () => {
  test.each([0, 3, 9, 65535])("refuses an attribute whose length says %d", (length) => {
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setUint16(0, length, true);

    expect(() => decodeAttributes(payload, 0)).toThrow("a length that leads out of it");
  });

  test("leaves the bits out that say how data is to be read", () => {
    const payload = Uint8Array.of(4, 0, 3, 0x80);

    expect([...decodeAttributes(payload, 0).keys()]).toEqual([3]);
  });
});
