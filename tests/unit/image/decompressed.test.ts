import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { decompressed } from "../../../src/image/decompressed.ts";
import { noise } from "../../helpers/registry_fixture.ts";

const data = Buffer.concat([Buffer.alloc(700_000), noise(300_000)]);
/** A frame that decoders pass over: RFC 8878, 3.1.2. */
const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

const streams: readonly [string, Buffer][] = [
  ["gzip", gzipSync(data)],
  ["gzip of two members", Buffer.concat([gzipSync(data.subarray(0, 5)), gzipSync(data.subarray(5))])],
  ["zstd", Buffer.from(zstdCompressSync(data))],
  [
    "zstd of two frames",
    Buffer.concat([zstdCompressSync(data.subarray(0, 5)), zstdCompressSync(data.subarray(5))]),
  ],
  ["zstd behind a skippable frame", Buffer.concat([skippable, zstdCompressSync(data)])],
];

/** All that comes out of a stream that comes in portions. */
async function read(stream: Buffer, portion = stream.length): Promise<Buffer> {
  const portions = Array.from({ length: Math.ceil(stream.length / portion) }, (_, at) =>
    stream.subarray(at * portion, (at + 1) * portion),
  );
  const parts: Uint8Array[] = [];
  for await (const chunk of decompressed(portions)) parts.push(chunk);
  return Buffer.concat(parts);
}

describe("decompressed()", () => {
  test.each([["nothing", data] as const, ...streams])(
    "gives the bytes of %s, whatever the portions",
    async (_, stream) => {
      expect((await read(stream)).equals(data)).toBeTrue();
      expect((await read(stream, 1009)).equals(data)).toBeTrue();
      expect((await read(stream.subarray(0), stream.length - 1)).equals(data)).toBeTrue();
    },
  );

  test.each(streams)("refuses %s that is cut short, wherever", async (_, stream) => {
    for (const left of [1, 2, 3, 4, 5, 20, 1000, stream.length >> 1]) {
      const cut = stream.subarray(0, stream.length - left);
      await expect(read(cut)).rejects.toThrow("unexpected end of file");
    }
  });

  test("takes a small stream in portions smaller than what tells the format", async () => {
    expect((await read(gzipSync("x"), 1)).toString()).toBe("x");
    expect((await read(Buffer.from("abc"), 1)).toString()).toBe("abc");
    expect((await read(Buffer.alloc(0), 1)).length).toBe(0);
  });

  test.each([
    ["xz", "fd377a585a0000"],
    ["bzip2", "425a6839314159"],
  ])("refuses %s by its first bytes", async (name, hex) => {
    await expect(read(Buffer.from(hex, "hex"))).rejects.toThrow(`${name} is not supported`);
  });

  test("keeps what it holds small: a bomb comes out in pieces", async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    let largest = 0;
    let total = 0;

    for await (const chunk of decompressed([bomb])) {
      largest = Math.max(largest, chunk.length);
      total += chunk.length;
    }

    expect(total).toBe(64 << 20);
    expect(largest).toBeLessThanOrEqual(256 * 1024);
  });
});
