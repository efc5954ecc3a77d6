import { describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { withOutput } from "../../../src/cli/output_file.ts";

/** Calls `body` with a directory that is gone afterwards. */
async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-output-`);
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const writeText = (text: string) => (fd: number) => void writeSync(fd, text);

describe("withOutput()", () => {
  test("makes a file that is there whole, or not at all", async () => {
    await inDirectory(async (directory) => {
      const [whole, none] = [`${directory}/whole`, `${directory}/none`];
      const failing = async (fd: number): Promise<void> => {
        writeSync(fd, "half");
        throw new Error("in the middle");
      };

      await withOutput(whole, "save", writeText("all"));
      await expect(withOutput(none, "save", failing)).rejects.toThrow("in the middle");
      await expect(withOutput(whole, "save", failing)).rejects.toThrow("in the middle");

      expect(readFileSync(whole, "utf8")).toBe("all");
      expect(existsSync(none)).toBeFalse();
      expect(readdirSync(directory)).toEqual(["whole"]);
    });
  });

  test("writes to what a link leads to, and leaves the link", async () => {
    await inDirectory(async (directory) => {
      writeFileSync(`${directory}/real`, "old");
      symlinkSync("real", `${directory}/link`);

      await withOutput(`${directory}/link`, "save", writeText("new"));

      expect(readFileSync(`${directory}/real`, "utf8")).toBe("new");
      expect(lstatSync(`${directory}/link`).isSymbolicLink()).toBeTrue();
    });
  });

  test("names the output that cannot be written to", async () => {
    await inDirectory(async (directory) => {
      const { uid } = userInfo();
      const places: ReadonlyArray<readonly [file: string, state: string]> = [
        [directory, "it is a directory"],
        [`${directory}/none/file`, "there is no such directory"],
        ["/dev/full", "the disk is full"],
        ...(uid === 0 ? [] : ([["/file", "permission denied"]] as const)),
      ];

      for (const [file, state] of places) {
        await expect(withOutput(file, "save", writeText("all"))).rejects.toThrow(
          `Cannot write to ${JSON.stringify(file)}: ${state}`,
        );
      }
      expect(readdirSync(directory)).toEqual([]);
    });
  });

  test("leaves errors of what is written as they are", async () => {
    const failing = (): never => {
      throw Object.assign(new Error("Cannot read a blob"), { code: "ENOENT" });
    };

    await expect(withOutput("/dev/null", "save", failing)).rejects.toThrow("Cannot read a blob");
  });

  test("writes to a pipe, and puts no file in its place", async () => {
    await inDirectory(async (directory) => {
      const fifo = `${directory}/fifo`;
      await Bun.$`mkfifo ${fifo}`;
      const reader = Bun.spawn(["cat", fifo], { stdout: "pipe" });

      await withOutput(fifo, "save", writeText("through"));

      expect(await reader.stdout.text()).toBe("through");
      expect(lstatSync(fifo).isFIFO()).toBeTrue();
      expect(readdirSync(directory)).toEqual(["fifo"]);
    });
  });
});
