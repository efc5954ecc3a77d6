/** Programs that run inside this process: results, arithmetic and ways on, by the machine code of this processor. */
import { describe, expect, test } from "bun:test";
import { encodeProgram } from "../../../src/linux/encode.ts";
import { explainProgram } from "../../../src/linux/explain.ts";
import { runSteps } from "../../../src/linux/machine.ts";
import { allocatePages } from "../../../src/linux/memory.ts";
import { Program } from "../../../src/linux/program.ts";

const PAGES_SIZE = 16384;
/** The failing step and its error, then results. */
const CELL_SIZE = 64;
const NO_SUCH_FD = 1_000_000;
const EBADF = 9;

/** Runs a program; steps store what is to be looked at at the address that they are given. */
function runHere(build: (program: Program, result: number) => void): { result: number; errno: number } {
  const pages = allocatePages(PAGES_SIZE);
  const program = new Program();
  build(program, pages.address + 16);
  program.returns();
  program.place(program.giveUp).returns();
  pages.bytes.set(encodeProgram(program, pages.address + CELL_SIZE).bytes, CELL_SIZE);
  runSteps(pages.address + CELL_SIZE, pages.address);
  const view = new DataView(pages.bytes.buffer);
  return { result: Number(view.getBigInt64(16, true)), errno: -Number(view.getBigInt64(8, true)) };
}

describe("add()", () => {
  test.each([
    [[1, 2, 0], 3],
    [[1, 2, 5], -2],
    [[2 ** 40, 1, 0], 2 ** 40 + 1],
    [[-1, -1, -1], -1],
  ] as const)("of %p is %p", ([a, b, c], expected) => {
    const { result } = runHere((p, address) => void p.add(a, b, c).storeAt(address).ignoreErrors());

    expect(result).toBe(expected);
  });
});

describe("field()", () => {
  test.each([
    ["shifts", [8, 0xff, 0], 0x56],
    ["masks", [0, 0xf, 0], 0x8],
    ["is zero when the flip is equal", [16, 0xff, 0x34], 0],
    ["flips", [0, 0xff, 0xff], 0x87],
  ] as const)("%s", (_, [shift, mask, flip], expected) => {
    const word = Uint8Array.of(0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0);

    const { result } = runHere((p, address) => void p.field(word, shift, mask, flip).storeAt(address));

    expect(result).toBe(expected);
  });
});

describe("a program in this process", () => {
  test("makes system calls", () => {
    const { result } = runHere((p, address) => void p.step("getpid").storeAt(address));

    expect(result).toBe(process.pid);
  });

  test("hands a result to several steps", () => {
    const { result } = runHere((p, address) => {
      const pid = p.step("getpid").result;
      const twice = p.add(pid, pid).result;
      p.add(twice, pid).storeAt(address);
    });

    expect(result).toBe(3 * process.pid);
  });

  test("stops at an error without a way on, and says which it was", () => {
    const { result, errno } = runHere((p, address) => {
      p.fchdir(NO_SUCH_FD);
      p.add(1, 0).storeAt(address);
    });

    expect({ result, errno }).toEqual({ result: 0, errno: EBADF });
  });

  test("goes on after an error that is ignored", () => {
    const { result } = runHere((p, address) => {
      p.fchdir(NO_SUCH_FD).ignoreErrors();
      p.add(1, 0).storeAt(address);
    });

    expect(result).toBe(1);
  });

  test("counts down in a loop", () => {
    const { result } = runHere((p, address) => {
      const [left, sum, round] = [p.variable("left"), p.variable("sum"), p.label()];
      p.add(100, 0).into(left);
      p.add(0, 0).into(sum);
      p.place(round).add(sum, left).into(sum);
      p.add(left, 0, 1).into(left);
      p.add(left, 0).onPositive(round);
      p.add(sum, 0).storeAt(address);
    });

    expect(result).toBe(5050);
  });
});

describe("explainProgram()", () => {
  test("prints the smallest container as strace would", () => {
    const program = new Program().section("make a container");
    program.unshare(0x20020000);
    program.chroot("/srv/root");
    program.execve("/bin/sh", ["sh"], ["PATH=/bin"]);
    program.place(program.giveUp).section("give up").exit_group(127);

    const text = explainProgram(program);

    expect(text).toContain("# make a container\n");
    expect(text).toContain('chroot("/srv/root")');
    expect(text).toContain('execve("/bin/sh", ["sh"], ["PATH=/bin"])');
  });

  test("names results by the step they come from", () => {
    const program = new Program();
    const fd = program.openat(-100, "/", 0).result;
    program.fchdir(fd);
    program.place(program.giveUp).exit_group(127);

    expect(explainProgram(program)).toMatch(/ = \$0\b[\s\S]*fchdir\(\$0\)/);
  });
});
