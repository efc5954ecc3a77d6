import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { crc32c } from "../../src/image/erofs/crc32c.ts";
import { ErofsFiles } from "../../src/image/erofs/erofs_files.ts";
import { SUPER_OFFSET, superAt } from "../../src/image/erofs/format.ts";
import { LayerDamaged } from "../../src/image/erofs/image_reader.ts";
import { snapshotFiles } from "../helpers/files_snapshot.ts";
import { LayerSandbox } from "../helpers/layer_sandbox.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";

const ROUNDS = 3000;
const SEED = 20_261_126;

const entries: readonly TarEntry[] = [
  { name: "etc/", xattrs: { "user.note": "abc" } },
  { name: "etc/passwd", data: "root", mode: 0o644, xattrs: { "user.a": "1", "user.b": "22" } },
  { name: "etc/deep/er/file", data: "x".repeat(5000) },
  { name: "etc/link", type: "symlink", link: "passwd" },
  { name: "etc/hard", type: "hardlink", link: "etc/passwd" },
  { name: "dev/null", type: "char", major: 1, minor: 3 },
  { name: ".wh.gone" },
  ...Array.from({ length: 300 }, (_, index): TarEntry => ({ name: `many/name-${index}`, data: "" })),
];

describe("ErofsFiles", () => {
  test("reads a damaged image to its end, or says that it is damaged", () => {
    using sandbox = new LayerSandbox("erofs");
    const image = readFileSync(sandbox.write(entries).path);
    const path = `${sandbox.path}/damaged.erofs`;
    const random = randomNumbers(SEED);
    let refused = 0;

    for (let round = 0; round < ROUNDS; round += 1) {
      writeFileSync(path, damage(image, random));
      if (!isReadable(path)) refused += 1;
    }

    // Most damage hits numbers that are checked; some only what a file holds.
    expect(refused).toBeGreaterThan(ROUNDS / 20);
    expect(refused).toBeLessThan(ROUNDS);
  }, 60_000);

  test("refuses an image that is cut short, and a file that is none", () => {
    using sandbox = new LayerSandbox("erofs");
    const image = readFileSync(sandbox.write(entries).path);
    const path = `${sandbox.path}/cut.erofs`;

    for (const length of [0, 100, 4095, 4096, image.length - 1, image.length - 4096]) {
      writeFileSync(path, image.subarray(0, length));
      expect(() => new ErofsFiles(path)).toThrow(LayerDamaged);
    }
  });
});

/** Some bytes of the inodes and directories changed, under a checksum that is right. */
function damage(image: Buffer, random: () => number): Buffer {
  const damaged = Buffer.from(image);
  for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1) {
    const at = SUPER_OFFSET + Math.floor(random() * (image.length - SUPER_OFFSET));
    // What is used is found by looking for it: most of an image is zeros.
    const used = damaged.subarray(at).findIndex((byte) => byte !== 0);
    if (used >= 0) damaged[at + used] = Math.floor(random() * 256);
  }
  const block = damaged.subarray(SUPER_OFFSET, 4096);
  block.writeUInt32LE(0, superAt.checksum);
  block.writeUInt32LE(crc32c(block), superAt.checksum);
  return damaged;
}

function isReadable(path: string): boolean {
  try {
    using files = new ErofsFiles(path);
    snapshotFiles(files);
    return true;
  } catch (error) {
    if (error instanceof LayerDamaged) return false;
    throw error;
  }
}

/** mulberry32 */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
