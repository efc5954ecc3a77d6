import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Lock } from "../../../src/fs/lock.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/bunker-lock-`);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("Lock", () => {
  test("is held by one at a time, and free again when disposed of", () => {
    const path = `${directory}/one`;
    {
      using _ = Lock.tryTake(path);
      expect(Lock.tryTake(path)).toBeUndefined();
    }

    using again = Lock.tryTake(path);
    expect(again).toBeDefined();
  });

  test("is held by many when shared, but not beside an exclusive one", () => {
    const path = `${directory}/shared`;
    using _first = Lock.tryTake(path, { shared: true });
    using second = Lock.tryTake(path, { shared: true });

    expect(second).toBeDefined();
    expect(Lock.tryTake(path)).toBeUndefined();
  });

  test("is waited for, and the waiter is told once that it waits", async () => {
    const path = `${directory}/waited`;
    const first = Lock.tryTake(path);
    const waits: string[] = [];

    const second = Lock.take(path, { onWait: () => void waits.push("waits") });
    await Bun.sleep(30);
    first?.[Symbol.dispose]();
    using _ = await second;

    expect(waits).toEqual(["waits"]);
  });

  test("is no longer waited for after an abort", async () => {
    const path = `${directory}/aborted`;
    using _ = Lock.tryTake(path);

    const second = Lock.take(path, { signal: AbortSignal.timeout(20) });

    await expect(second).rejects.toThrow();
  });

  test("of a file that was removed meanwhile is not the lock of its successor", () => {
    const path = `${directory}/removed`;
    using _old = Lock.tryTake(path);
    rmSync(path);

    using fresh = Lock.tryTake(path);

    expect(fresh).toBeDefined();
    expect(Lock.tryTake(path)).toBeUndefined();
  });

  test("of a process that is killed is free", async () => {
    const path = `${directory}/killed`;
    const script = `
      import { Lock } from "${import.meta.dir}/../../../src/fs/lock.ts";
      Lock.tryTake("${path}");
      console.log("held");
      setInterval(() => undefined, 1000);
    `;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
    await child.stdout.getReader().read();
    const whileAlive = Lock.tryTake(path);

    child.kill("SIGKILL");
    await child.exited;
    using after = Lock.tryTake(path);

    expect(whileAlive).toBeUndefined();
    expect(after).toBeDefined();
  });
});
