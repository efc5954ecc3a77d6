import { describe, expect, test } from "bun:test";
import { crc32c } from "../../../../src/image/erofs/crc32c.ts";

describe("crc32c()", () => {
  test("is that of RFC 3720, without the inversion at its end", () => {
    const zeros = crc32c(new Uint8Array(32));
    const ones = crc32c(new Uint8Array(32).fill(0xff));

    expect([~zeros >>> 0, ~ones >>> 0]).toEqual([0x8a9136aa, 0x62a8ab43]);
  });

  test("begins with all bits set", () => {
    expect(crc32c(new Uint8Array(0))).toBe(0xffff_ffff);
  });
});
