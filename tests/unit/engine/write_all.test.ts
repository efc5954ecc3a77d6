import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { writeChunks } from "../../../src/engine/write_all.ts";

/** Gives `write` a descriptor of a new file. @returns what is in it afterwards */
async function written(write: (fd: number) => Promise<void>): Promise<string> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-write-`);
  const fd = openSync(`${directory}/file`, "w");
  try {
    await write(fd);
    return readFileSync(`${directory}/file`, "utf8");
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}

const chunks = (count: number): Uint8Array[] => Array.from({ length: count }, () => Buffer.from("x"));

describe("writeChunks()", () => {
  test("writes all of them", async () => {
    expect(await written((fd) => writeChunks(fd, chunks(40), new AbortController().signal))).toBe(
      "x".repeat(40),
    );
  });

  test("writes nothing when it was ended before, and stops when it is ended meanwhile", async () => {
    const aborted = AbortSignal.abort(new Error("enough"));
    const stop = new AbortController();
    setImmediate(() => stop.abort(new Error("enough")));

    const texts = await Promise.all(
      [aborted, stop.signal].map((signal) =>
        written((fd) =>
          writeChunks(fd, chunks(1000), signal).catch(({ message }) => expect(message).toBe("enough")),
        ),
      ),
    );

    expect(texts[0]).toBe("");
    expect(texts[1]?.length).toBeLessThan(1000);
  });
});
