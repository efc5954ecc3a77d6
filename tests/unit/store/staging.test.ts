import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { openStore } from "../../../src/store/open_store.ts";
import { removeAbandoned, Staging } from "../../../src/store/staging.ts";

function withRoot(action: (root: string) => void): void {
  const root = mkdtempSync(`${tmpdir()}/bunker-staging-`);
  openStore(root);
  try {
    action(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe("Staging", () => {
  test("is gone with all that is in it when it is disposed of", () => {
    withRoot((root) => {
      {
        using staging = Staging.create(root);
        mkdirSync(`${staging.path}/a/b`, { recursive: true });
        writeFileSync(`${staging.path}/a/b/c`, "x");
      }

      expect(readdirSync(`${root}/tmp`)).toEqual([]);
    });
  });
});

describe("removeAbandoned()", () => {
  test("removes what nobody holds, and leaves what somebody does", () => {
    withRoot((root) => {
      using held = Staging.create(root);
      mkdirSync(`${root}/tmp/dead/sub`, { recursive: true });
      writeFileSync(`${root}/tmp/dead.lock`, "");
      writeFileSync(`${root}/tmp/lonely.lock`, "");

      const removed = removeAbandoned(root);

      const id = held.path.slice(`${root}/tmp/`.length);
      expect(removed).toBe(2);
      expect(readdirSync(`${root}/tmp`).sort()).toEqual([id, `${id}.lock`]);
    });
  });
});
