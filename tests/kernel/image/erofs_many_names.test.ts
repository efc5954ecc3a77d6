/** Images of layers with more names than fields of 16 bits count. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { titleOf } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";

const missing = layerForms.find(([form]) => form === "erofs")?.[1];
const title = (text: string): string => titleOf(text, missing);
const erofsTest = test.skipIf(missing !== undefined);
const TEST_MS_MAX = 60_000;

/** With the first name more than 65 535. */
const LINKS = 66_000;

describe("a layer as an EROFS image", () => {
  erofsTest(
    title("takes names by the ten thousand in one directory"),
    () => {
      using sandbox = new LayerSandbox("erofs");
      const names = Array.from({ length: 100_000 }, (_, index) => `file-${index * 7919}`);

      const { path } = sandbox.unpack(names.map((name): TarEntry => ({ name: `d/${name}`, data: "" })));

      expect(readdirSync(`${path}/d`).sort()).toEqual(names.sort());
      expect(statSync(`${path}/d/file-7919`).size).toBe(0);
      expect(existsSync(`${path}/d/file-7920`)).toBeFalse();
    },
    TEST_MS_MAX,
  );

  erofsTest(
    title("gives a file more names than 16 bits count"),
    () => {
      using sandbox = new LayerSandbox("erofs");
      const links = Array.from({ length: LINKS }, (_, index): TarEntry => {
        return { name: `links/${index}`, type: "hardlink", link: "file" };
      });

      const { path } = sandbox.unpack([{ name: "file" }, ...links]);

      expect(statSync(`${path}/links/${LINKS - 1}`).nlink).toBe(LINKS + 1);
      expect(readdirSync(`${path}/links`)).toHaveLength(LINKS);
    },
    TEST_MS_MAX,
  );
});
