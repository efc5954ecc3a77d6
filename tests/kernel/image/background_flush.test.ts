import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { flushMeanwhile } from "../../../src/image/background_flush.ts";

const LARGE = 100 << 20;

/** Children of this process that are no threads of it. */
const children = (): string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);

const reason = availableParallelism() > 1 ? "" : " (skipped: one processor)";

describe.skipIf(reason !== "")(`flushMeanwhile()${reason}`, () => {
  test("runs beside a large pull, and not after it", async () => {
    const directory = mkdtempSync(`${tmpdir()}/bunker-flush-`);
    const before = children();

    const flushing = await flushMeanwhile(directory, LARGE, `${directory}/program`);
    const meanwhile = children();
    flushing[Symbol.dispose]();

    expect(meanwhile.length).toBe(before.length + 1);
    expect(children()).toEqual(before);
    rmSync(directory, { recursive: true });
  });

  test("does nothing beside a small one", async () => {
    const before = children();

    using _ = await flushMeanwhile(tmpdir(), 1000, "");

    expect(children()).toEqual(before);
  });
});
