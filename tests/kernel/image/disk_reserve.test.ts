/** Layers that are larger than the disk: what of it is left then, and what takes no room. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, statfsSync } from "node:fs";
import { reserveOf } from "../../../src/image/unpack/disk_reserve.ts";
import { buildImage } from "../../helpers/image_builder.ts";
import { PullPlace } from "../../helpers/pull_place.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable"];
const DISK_MIB = 64;
const MIB = 1 << 20;
const TEST_MS_MAX = 60_000;

const layerOf = (data: Uint8Array | string) =>
  buildImage({ layers: [{ entries: [{ name: "large", data }], compression: "gzip" }] });

describe("a layer larger than the disk", () => {
  kernelTest(
    "is refused before it fills the disk to the last byte, and leaves nothing",
    NEEDS,
    async (sandbox) => {
      const bomb = layerOf("x".repeat(2 * DISK_MIB * MIB));
      await using place = new PullPlace(sandbox, { "bomb:latest": bomb });
      await mountSmall(sandbox);
      try {
        const { message, because, hints } = await place.refusal(["pull", "-q", place.name("bomb")]);

        const { blocks, bsize, bavail } = statfsSync(sandbox.root);
        expect(message).toEndWith(':latest": the disk is full');
        expect(because.join()).toContain(
          `less than ${reserveOf(blocks * bsize)} bytes of the disk would be left`,
        );
        expect(hints).toEqual(["Free some space, or move the data to another disk with --root"]);
        expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
        expect(bavail * bsize).toBeGreaterThan((DISK_MIB - 1) * MIB);
      } finally {
        await Bun.$`umount ${sandbox.root}`;
      }
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "is pulled all the same when it is one of zeros, which take no room",
    NEEDS,
    async (sandbox) => {
      const zeros = layerOf(new Uint8Array(2 * DISK_MIB * MIB));
      await using place = new PullPlace(sandbox, { "zeros:latest": zeros });
      await mountSmall(sandbox);
      try {
        const pulled = await place.bunker(["pull", "-q", place.name("zeros")]);

        expect(pulled).toMatchObject({ exitCode: 0, stderr: "" });
      } finally {
        await Bun.$`umount ${sandbox.root}`;
      }
    },
    TEST_MS_MAX,
  );
});

async function mountSmall({ root }: Sandbox): Promise<void> {
  mkdirSync(root);
  await Bun.$`mount -t tmpfs -o size=${DISK_MIB}m,mode=700 bunker ${root}`;
}
