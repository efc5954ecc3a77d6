import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { openStore } from "../../../src/store/open_store.ts";
import { removeAbandoned, Staging } from "../../../src/store/staging.ts";

async function withRoot(action: (root: string) => void | Promise<void>): Promise<void> {
  const root = mkdtempSync(`${tmpdir()}/bunker-staging-`);
  openStore(root);
  try {
    await action(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe("Staging", () => {
  test("is gone with all that is in it when it is disposed of", async () => {
    await withRoot((root) => {
      {
        using staging = Staging.create(root);
        mkdirSync(`${staging.path}/a/b`, { recursive: true });
        writeFileSync(`${staging.path}/a/b/c`, "x");
      }

      expect(readdirSync(`${root}/tmp`)).toEqual([]);
    });
  });

  test("is garbage with all that is in it once it is abandoned", async () => {
    await withRoot(async (root) => {
      const staging = Staging.create(root);
      writeFileSync(`${staging.path}/file`, "x");

      staging.abandon();

      expect(readdirSync(staging.path)).toEqual(["file"]);
      expect(await removeAbandoned(root)).toBe(1);
      expect(readdirSync(`${root}/tmp`)).toEqual([]);
    });
  });
});

describe("removeAbandoned()", () => {
  test("removes what nobody holds, and leaves what somebody does", async () => {
    await withRoot(async (root) => {
      using held = Staging.create(root);
      mkdirSync(`${root}/tmp/dead/sub`, { recursive: true });
      writeFileSync(`${root}/tmp/dead.lock`, "");
      writeFileSync(`${root}/tmp/lonely.lock`, "");

      const removed = await removeAbandoned(root);

      const id = held.path.slice(`${root}/tmp/`.length);
      expect(removed).toBe(2);
      expect(readdirSync(`${root}/tmp`).sort()).toEqual([id, `${id}.lock`]);
    });
  });
});
