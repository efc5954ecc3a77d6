import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { GzipBlocks } from "../../../src/image/gzip_blocks.ts";
import { noise } from "../../helpers/registry_fixture.ts";
import { testIf } from "../../helpers/requires.ts";

const MIB = 1 << 20;

/** Text and noise in turns, so that blocks refer to what is in the one before. */
function mixed(size: number): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < size; at += 70_000) parts.push(noise(5000), Buffer.alloc(65_000, `line ${at % 9}\n`));
  return Buffer.concat(parts).subarray(0, size);
}

async function compress(data: Uint8Array, portion = Math.max(1, data.length)): Promise<Buffer> {
  const parts: Buffer[] = [];
  const gzip = new GzipBlocks((bytes) => parts.push(Buffer.from(bytes)));
  for (let at = 0; at < data.length; at += portion) await gzip.push(data.subarray(at, at + portion));
  await gzip.end();
  return Buffer.concat(parts);
}

describe("GzipBlocks", () => {
  test.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 5 * MIB + 12_345])("gives %d bytes back", async (size) => {
    const data = mixed(size);

    const compressed = await compress(data);

    expect(gunzipSync(compressed).equals(data)).toBeTrue();
  });

  test("gives the same bytes whatever the portions", async () => {
    const data = mixed(3 * MIB + 5);

    const whole = await compress(data);

    for (const portion of [100_003, MIB, MIB + 1])
      expect((await compress(data, portion)).equals(whole)).toBeTrue();
  });

  test("makes one member, which decoders that stop after the first read whole", async () => {
    const data = mixed(3 * MIB);

    expect(Buffer.from(Bun.gunzipSync(new Uint8Array(await compress(data)))).equals(data)).toBeTrue();
  });

  test("compresses as well as one stream does", async () => {
    const data = mixed(4 * MIB);

    const ours = (await compress(data)).length;

    expect(ours).toBeLessThan(Bun.gzipSync(new Uint8Array(data), { level: 6 }).length * 1.01);
  });

  test("hands on what the receiver throws", async () => {
    const full = async (): Promise<void> => {
      let count = 0;
      const gzip = new GzipBlocks(() => {
        count += 1;
        if (count > 2) throw new Error("no room");
      });
      await gzip.push(mixed(40 * MIB));
      await gzip.end();
    };

    await expect(full()).rejects.toThrow("no room");
  });

  testIf(["program gzip"], "is taken by gzip", async () => {
    const data = mixed(2 * MIB + 7);
    const child = Bun.spawn(["gzip", "-dc"], { stdin: new Uint8Array(await compress(data)), stdout: "pipe" });

    expect(Buffer.from(await child.stdout.bytes()).equals(data)).toBeTrue();
  });
});
