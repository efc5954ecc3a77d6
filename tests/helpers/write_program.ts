/**
 * Writes a program of system calls as an executable, for this processor or the other one:
 *
 *     bun tests/helpers/write_program.ts x64|arm64 NAME FILE
 *
 * Sources decide by `process.arch` when they are loaded, so it is set first; no system call may be made after that.
 */
import { chmodSync, writeFileSync } from "node:fs";
import type { Program } from "../../src/linux/program.ts";

/** What each program writes, and the code that it exits with, is in the tests that name it. */
const programs: Readonly<Record<string, (program: Program) => void>> = {
  /** Results that are used several times, arithmetic, and a room that one step fills and another reads. */
  results: (program) => {
    const count = program.write(1, "hey\n", 4).result;
    program.write(1, "twice!!!\n", program.add(count, count, -1).result);
    const room = program.room(16);
    program.getcwd(room, 16);
    program.write(1, room, 1);
    program.exit_group(program.add(count, 38).result);
    program.place(program.giveUp).exit_group(127);
  },

  /** Every way on: error, zero, positive, and a loop of three rounds. */
  ways: (program) => {
    const missing = program.label();
    const zero = program.label();
    const positive = program.label();
    const round = program.label();
    program.openat(AT_FDCWD, "/missing/file", 0).onError(missing);
    program.exit_group(1);
    program.place(missing).write(1, "error\n", 6);
    program.add(0, 0).onZero(zero).onPositive(program.giveUp);
    program.exit_group(2);
    program.place(zero).write(1, "zero\n", 5);
    program.add(7, 0).onZero(program.giveUp).onPositive(positive);
    program.exit_group(3);
    program.place(positive).write(1, "positive\n", 9);
    const left = program.variable("left");
    program.add(4, 0).into(left);
    program.place(round).add(left, 0, 1).into(left);
    program.write(1, ".", 1);
    program.add(left, 0, 1).onPositive(round);
    program.exit_group(0);
    program.place(program.giveUp).exit_group(4);
  },

  /** A step that fails without a way on: the program gives up, and its report page holds the error. */
  failure: (program) => {
    program.chroot("/missing");
    program.write(1, "never\n", 6);
    program.place(program.giveUp);
    // -ENOENT as the exit code: 256 - 2.
    program.exit_group(program.field(reportAddress + report.failure + 8, 0, 0xff).result);
  },
};

/** `--init` with a command that exits with 7, and with one that is killed. */
const inits: typeof programs = {
  init_exit: (program) => {
    planInit(program, { terminal: false });
    program.exit_group(7);
    program.place(program.giveUp).exit_group(1);
  },
  init_kill: (program) => {
    planInit(program, { terminal: false });
    program.kill(program.step("getpid").result, SIGKILL);
    program.place(program.giveUp).exit_group(1);
  },
};

const SIGKILL = 9;
const [architecture = "", name = "", file = ""] = process.argv.slice(2);
Object.defineProperty(process, "arch", { value: architecture });
const { AT_FDCWD } = await import("../../src/linux/abi/fcntl.ts");
const { FIRST_ADDRESS, writeExecutable } = await import("../../src/linux/elf.ts");
const { encodeProgram } = await import("../../src/linux/encode.ts");
const { Program: ProgramClass } = await import("../../src/linux/program.ts");
const { planInit } = await import("../../src/runtime/process/init.ts");
const { report, reportAddress } = await import("../../src/linux/program_core.ts");

const program = new ProgramClass();
({ ...programs, ...inits })[name]?.(program);
writeFileSync(file, writeExecutable(encodeProgram(program, FIRST_ADDRESS).bytes));
chmodSync(file, 0o755);
