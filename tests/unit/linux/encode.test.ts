/** Programs as bytes: eleven words a step, results that go straight to where they are used, and data behind them. */
import { describe, expect, test } from "bun:test";
import { numbers } from "../../../src/linux/abi/numbers.ts";
import { type EncodedProgram, encodeProgram, STEP_SIZE } from "../../../src/linux/encode.ts";
import { architecture } from "../../../src/linux/machine.ts";
import { Program } from "../../../src/linux/program.ts";
import { operations } from "../../../src/linux/step.ts";

const BASE = 0x10000;
const POSITIVE = 8;
const ZERO = 9;
const ERROR = 10;

describe("encodeProgram()", () => {
  test("writes number and arguments, and goes on to the next step", () => {
    const program = endedProgram((p) => void p.fchdir(7));

    const encoded = encodeProgram(program, BASE);

    expect(wordsOf(encoded, 0).slice(0, 7)).toEqual([numberOf("fchdir"), 7, 0, 0, 0, 0, 0]);
    expect(wordsOf(encoded, 0).slice(POSITIVE)).toEqual([stepAddress(1), stepAddress(1), stepAddress(1)]);
  });

  test("writes negative numbers and numbers of 64 bits", () => {
    const program = endedProgram((p) => void p.unlinkat(-100, 2 ** 40 + 5, 0).into(p.variable("unused")));

    const words = wordsOf(encodeProgram(program, BASE), 0);

    expect(words.slice(1, 3)).toEqual([-100, 2 ** 40 + 5]);
  });

  test("stores a result in the argument that uses it", () => {
    const program = endedProgram((p) => void p.fchdir(p.openat(-100, "/", 0).result));

    const encoded = encodeProgram(program, BASE);

    expect(wordsOf(encoded, 0)[7]).toBe(stepAddress(1) + 8);
    expect(wordsOf(encoded, 1)[0]).toBe(numberOf("fchdir"));
  });

  test("copies a result for each further use, before the next step", () => {
    const program = endedProgram((p) => {
      const fd = p.openat(-100, "/", 0).result;
      p.fchdir(fd);
      p.close(fd);
    });

    const encoded = encodeProgram(program, BASE);

    const [copy, fchdir, close] = [wordsOf(encoded, 1), wordsOf(encoded, 2), wordsOf(encoded, 3)];
    expect([copy[0], fchdir[0], close[0]]).toEqual([operations.field, numberOf("fchdir"), numberOf("close")]);
    expect(copy.slice(1, 5)).toEqual([stepAddress(2) + 8, 0, -1, 0]);
    expect(copy[7]).toBe(stepAddress(3) + 8);
  });

  test("copies before it branches by the same result", () => {
    const program = endedProgram((p) => {
      const zero = p.label();
      const pid = p.clone(0).onZero(zero);
      p.kill(pid.result, 9);
      p.place(zero).kill(pid.result, 15);
    });

    const encoded = encodeProgram(program, BASE);

    const [clone, copy] = [wordsOf(encoded, 0), wordsOf(encoded, 1)];
    expect([clone[POSITIVE], clone[ZERO]]).toEqual([stepAddress(1), stepAddress(1)]);
    expect([copy[POSITIVE], copy[ZERO]]).toEqual([stepAddress(2), stepAddress(3)]);
  });

  test("goes to where labels were placed, before and after", () => {
    const program = endedProgram((p) => {
      const [before, after] = [p.label(), p.label()];
      p.place(before).setsid();
      p.setsid().onError(before).onZero(after).onPositive(p.giveUp);
      p.setsid();
      p.place(after).setsid();
    });

    const words = wordsOf(encodeProgram(program, BASE), 1);

    expect([words[POSITIVE], words[ZERO], words[ERROR]]).toEqual([
      stepAddress(4),
      stepAddress(3),
      stepAddress(0),
    ]);
  });

  test("gives up at an error unless the step says otherwise", () => {
    const program = endedProgram((p) => {
      p.setsid();
      p.setsid().ignoreErrors();
    });

    const encoded = encodeProgram(program, BASE);

    expect(wordsOf(encoded, 0)[ERROR]).toBe(stepAddress(2));
    expect(wordsOf(encoded, 1)[ERROR]).toBe(stepAddress(2));
  });

  test("refuses a label that was never placed", () => {
    const program = endedProgram((p) => void p.jump(p.label()));

    expect(() => encodeProgram(program, BASE)).toThrow("a label of a program was never placed");
  });

  test("ends strings by NUL, and keeps equal ones once", () => {
    const program = endedProgram((p) => {
      p.chdir("/käse");
      p.chroot("/käse");
    });

    const encoded = encodeProgram(program, BASE);

    const address = wordsOf(encoded, 0)[1] as number;
    expect(textAt(encoded, address)).toBe("/käse");
    expect(wordsOf(encoded, 1)[1]).toBe(address);
  });

  test("refuses a string with a NUL in it: the kernel would use the part before", () => {
    const program = endedProgram((p) => void p.chdir("/srv\0/etc"));

    expect(() => encodeProgram(program, BASE)).toThrow(TypeError);
  });

  test("writes lists of strings as a table that ends with NULL", () => {
    const program = endedProgram((p) => void p.execve("/bin/sh", ["sh", "-c"], []));

    const encoded = encodeProgram(program, BASE);

    const [, , argv = 0, envp = 0] = wordsOf(encoded, 0);
    const table = [0, 1, 2].map((index) => wordAt(encoded, argv + 8 * index));
    expect(table.slice(0, 2).map((address) => textAt(encoded, address))).toEqual(["sh", "-c"]);
    expect(table[2]).toBe(0);
    expect(wordAt(encoded, envp)).toBe(0);
  });

  test("gives a room one place, and its parts places in it", () => {
    const program = endedProgram((p) => {
      const room = p.room(32);
      p.read(0, room.at(16), 16);
      p.read(0, room, 32);
    });

    const encoded = encodeProgram(program, BASE);

    const [part = 0, whole = 0] = [wordsOf(encoded, 0)[2], wordsOf(encoded, 1)[2]];
    expect(part - whole).toBe(16);
    expect(whole + 32).toBeLessThanOrEqual(BASE + encoded.bytes.length);
  });

  test("finds the step at an address, for reports; a copy belongs to the step before it", () => {
    const program = endedProgram((p) => {
      const fd = p.openat(-100, "/", 0).result;
      p.fchdir(fd);
      p.close(fd);
    });

    const encoded = encodeProgram(program, BASE);

    const found = [0, 1, 2, 3].map((index) => encoded.stepAt(stepAddress(index))?.name);
    expect(found).toEqual(["openat", "openat", "fchdir", "close"]);
  });

  test("tells where the text of a slot is, so that another can be put there", () => {
    const program = endedProgram((p) => void p.chdir(p.slot("root", "/var/lib")));

    const encoded = encodeProgram(program, BASE);

    const offset = encoded.slots.get("root") ?? -1;
    expect(textAt(encoded, BASE + offset)).toBe("/var/lib");
    expect(wordsOf(encoded, 0)[1]).toBe(BASE + offset);
  });

  test("refuses a program of more than 4 MiB", () => {
    const program = endedProgram((p) => void p.write(1, new Uint8Array(4 << 20), 0));

    expect(() => encodeProgram(program, BASE)).toThrow(RangeError);
  });
});

/** A program whose last step is where it gives up. */
function endedProgram(build: (program: Program) => void): Program {
  const program = new Program();
  build(program);
  program.place(program.giveUp).exit_group(127).ignoreErrors();
  return program;
}

const numberOf = (name: keyof typeof numbers): number => numbers[name][architecture] as number;
const stepAddress = (index: number): number => BASE + index * STEP_SIZE;

/** The eleven words of a step, as signed numbers. */
function wordsOf(encoded: EncodedProgram, index: number): readonly number[] {
  return Array.from({ length: 11 }, (_, word) => wordAt(encoded, stepAddress(index) + 8 * word));
}

function wordAt({ bytes }: EncodedProgram, address: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Number(view.getBigInt64(address - BASE, true));
}

function textAt({ bytes }: EncodedProgram, address: number): string {
  const start = address - BASE;
  return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
}
