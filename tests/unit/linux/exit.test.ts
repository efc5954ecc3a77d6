import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const EXIT = join(import.meta.dir, "../../../src/linux/exit.ts");

describe("exitNow", () => {
  test("ends the process with the code, and nothing runs after it", async () => {
    const script = `
      const { exitNow } = await import(${JSON.stringify(EXIT)});
      process.on("exit", () => process.exit(1));
      setInterval(() => undefined, 1);
      exitNow(77);
      process.exit(2);
    `;
    const { exited } = Bun.spawn([process.execPath, "-e", script]);

    expect(await exited).toBe(77);
  });
});
