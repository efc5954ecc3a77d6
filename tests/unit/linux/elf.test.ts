/** Programs as executables, for both processors: well-formed for binutils, and run by the kernel or by qemu. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { FIRST_ADDRESS, SECOND_ADDRESS, writeExecutable } from "../../../src/linux/elf.ts";
import { architectures, runnerOf, writeProgram } from "../../helpers/foreign_program.ts";
import { runPiped } from "../../helpers/pipes.ts";
import { titleOf, whyMissing } from "../../helpers/requires.ts";

const directory = mkdtempSync(`${tmpdir()}/bunker-elf-`);
const names = ["results", "ways", "failure"] as const;

const fileOf = (architecture: string, name: string): string => `${directory}/${architecture}.${name}`;

beforeAll(async () => {
  for (const architecture of architectures) {
    for (const name of names) {
      await writeProgram(architecture, name, fileOf(architecture, name));
    }
  }
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each(architectures)("an executable for %s", (architecture) => {
  const { runner, needs } = runnerOf(architecture);
  const reason = whyMissing(needs);
  const run = (name: (typeof names)[number]) =>
    runPiped([...runner, fileOf(architecture, name)], { cwd: "/" });

  test.skipIf(reason !== undefined)(titleOf("hands results to later steps", reason), async () => {
    const result = await run("results");

    expect(result).toMatchObject({ stdout: "hey\ntwice!!!\n/", stderr: "", exitCode: 42 });
  });

  test.skipIf(reason !== undefined)(
    titleOf("goes on by error, zero and positive results", reason),
    async () => {
      const result = await run("ways");

      expect(result).toMatchObject({ stdout: "error\nzero\npositive\n...", stderr: "", exitCode: 0 });
    },
  );

  test.skipIf(reason !== undefined)(
    titleOf("gives up, and reports the error, at a step that fails", reason),
    async () => {
      const ENOENT = 2;

      const result = await run("failure");

      expect(result).toMatchObject({ stdout: "", stderr: "", exitCode: 256 - ENOENT });
    },
  );

  const noReadelf = whyMissing(["program readelf"]);

  test.skipIf(noReadelf !== undefined)(
    titleOf("has a header that readelf understands", noReadelf),
    async () => {
      const { stdout, stderr } = await runPiped([
        "readelf",
        "--wide",
        "--file-header",
        fileOf(architecture, "ways"),
      ]);

      expect(stderr).toBe("");
      expect(stdout).toMatch(
        architecture === "arm64" ? /Machine: +AArch64/ : /Machine: +Advanced Micro Devices X86-64/,
      );
      expect(stdout).toMatch(/Class: +ELF64/);
      expect(stdout).toMatch(/Type: +EXEC/);
    },
  );

  test.skipIf(noReadelf !== undefined)(
    titleOf("never has memory that is writable and executable", noReadelf),
    async () => {
      const { stdout } = await runPiped(["readelf", "--wide", "--segments", fileOf(architecture, "ways")]);

      const flags = [...stdout.matchAll(/^ +(LOAD|GNU_STACK) +(?:0x\S+ +){5}([RWE ]{3}) +0x/gm)].map(
        ([, type, each]) => `${type} ${each}`,
      );
      expect(flags).toEqual(["LOAD R E", "LOAD RW ", "LOAD RW ", "LOAD RW ", "GNU_STACK RW "]);
    },
  );
});

describe("writeExecutable()", () => {
  test("puts two programs where they were encoded to run", () => {
    const file = writeExecutable(Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5));

    const segments = readSegments(file).slice(1, 3);
    const contents = segments.map(({ offset, size }) => [...file.subarray(offset, offset + size)]);
    expect(segments.map(({ address }) => address)).toEqual([FIRST_ADDRESS, SECOND_ADDRESS]);
    expect(contents).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });

  test("keeps addresses and offsets equal modulo a page, as the kernel demands", () => {
    const pageSize = process.arch === "arm64" ? 0x10000 : 0x1000;
    const file = writeExecutable(new Uint8Array(5000), new Uint8Array(100));

    const odd = readSegments(file).filter(({ address, offset }) => (address - offset) % pageSize !== 0);
    expect(odd).toEqual([]);
  });

  test("refuses a first program that would reach into the second", () => {
    const size = SECOND_ADDRESS - FIRST_ADDRESS;

    expect(() => writeExecutable(new Uint8Array(size))).not.toThrow();
    expect(() => writeExecutable(new Uint8Array(size + 1), new Uint8Array(8))).toThrow(RangeError);
  });
});

interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** The program headers: elf(5), Elf64_Phdr; the last one is the stack's. */
function readSegments(file: Uint8Array): readonly Segment[] {
  const view = new DataView(file.buffer);
  const count = view.getUint16(56, true);
  return Array.from({ length: count - 1 }, (_, index) => {
    const at = view.getUint32(32, true) + 56 * index;
    return {
      offset: view.getUint32(at + 8, true),
      address: view.getUint32(at + 16, true),
      size: view.getUint32(at + 32, true),
    };
  });
}
