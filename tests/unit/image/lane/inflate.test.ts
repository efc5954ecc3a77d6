import { describe, expect, test } from "bun:test";
import { createGunzip, zstdCompressSync } from "node:zlib";
import { SlotWriter } from "../../../../src/image/lane/byte_sink.ts";
import { openInflater, StreamInflater } from "../../../../src/image/lane/inflate.ts";

const text = Buffer.from("some text that compresses, ".repeat(2000));
const refused = expect.objectContaining({ code: "LAYER_COMPRESSION" });

/** Inflates pieces into memory of 1000 bytes at a time, as a ring would lend it. */
async function inflate(pieces: readonly Uint8Array[], open = openInflater): Promise<Buffer> {
  const parts: Buffer[] = [];
  const memory = new Uint8Array(1000);
  const writer = new SlotWriter({
    acquire: () => memory,
    commit: (length) => void parts.push(Buffer.from(memory.slice(0, length))),
  });
  const inflater = open(Buffer.concat(pieces), writer);
  for (const piece of pieces) await inflater.push(piece);
  await inflater.finish();
  writer.finish();
  inflater.close();
  return Buffer.concat(parts);
}

describe("StreamInflater", () => {
  const blob = Buffer.from(Bun.gzipSync(text));
  const openStream: typeof openInflater = (_, writer) => new StreamInflater(createGunzip(), writer);

  test("reads gzip, and refuses what is cut short", async () => {
    const bytes = await inflate([blob.subarray(0, 50), blob.subarray(50)], openStream);

    expect(bytes.equals(text)).toBeTrue();
    await expect(inflate([blob.subarray(0, -9)], openStream)).rejects.toEqual(refused);
  });
});

describe("openInflater()", () => {
  const formats: ReadonlyArray<readonly [string, Buffer]> = [
    ["gzip", Buffer.from(Bun.gzipSync(text))],
    [
      "gzip of two members",
      Buffer.concat([Bun.gzipSync(text.subarray(0, 9)), Bun.gzipSync(text.subarray(9))]),
    ],
    ["gzip with zeros behind it", Buffer.concat([Bun.gzipSync(text), Buffer.alloc(700)])],
    ["zstd", zstdCompressSync(text)],
    [
      "zstd of two frames",
      Buffer.concat([zstdCompressSync(text.subarray(0, 9)), zstdCompressSync(text.subarray(9))]),
    ],
    ["no compression", text],
  ];
  test.each(formats)("reads %s, whole and in pieces", async (_, blob) => {
    const whole = await inflate([blob]);
    const pieces = await inflate([blob.subarray(0, 11), blob.subarray(11, 12), blob.subarray(12)]);

    expect(whole.equals(text)).toBeTrue();
    expect(pieces.equals(text)).toBeTrue();
  });

  const damaged: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["gzip that is cut short", Bun.gzipSync(text).subarray(0, -9)],
    ["gzip with something else behind it", Buffer.concat([Bun.gzipSync(text), Buffer.from("garbage")])],
    [
      "gzip with zeros and something else behind it",
      Buffer.concat([Bun.gzipSync(text), Buffer.from("\0\0\0garbage")]),
    ],
    ["zstd with something else behind it", Buffer.concat([zstdCompressSync(text), Buffer.from("garbage")])],
    ["xz", Buffer.from("\xfd7zXZ\0rest", "latin1")],
    ["bzip2", Buffer.from("BZh91AY&SY")],
  ];
  test.each(damaged)("refuses %s", async (_, blob) => {
    await expect(inflate([blob])).rejects.toEqual(refused);
  });
});
