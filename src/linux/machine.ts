/**
 * The machine code of this processor, placed once into executable memory, and the two ways into it:
 * `syscall6` makes one system call, `runSteps` runs a program of steps inside this process.
 * One stub for every system call needs no symbol table, no `errno` variable and no C library of a certain kind.
 */
import { CFunction, FFIType, type Pointer } from "bun:ffi";
import * as arm64 from "./machine_arm64.ts";
import * as x86_64 from "./machine_x86_64.ts";
import { allocatePages, makeExecutable } from "./memory.ts";

/** Index into the pairs of abi/numbers.ts. */
export const architecture = process.arch === "arm64" ? 1 : 0;

/** The code for this processor, as bytes and entry points. */
export const machine = architecture === 1 ? arm64 : x86_64;

/** The code refers to its data page by distance: 4096 bytes after its own start. */
const DATA_DISTANCE = 4096;
/** Largest page of the supported kernels (arm64 with 64 KiB): code and data must not share one. */
const PAGE_SIZE_MAX = 65536;

const memory = allocatePages(2 * PAGE_SIZE_MAX);
const codeOffset = PAGE_SIZE_MAX - DATA_DISTANCE;
memory.bytes.set(machine.bytes, codeOffset);
makeExecutable(memory.address, PAGE_SIZE_MAX);

/** Address of an entry point of the code in this process. */
export const entryAddress = (name: keyof typeof machine.entry): number =>
  memory.address + codeOffset + machine.entry[name];

/**
 * The signal handler's page: the report cell of its steps, the descriptor that signals go to, then for each signal
 * number the address of its first step, or 0.
 */
export const handlerPage = {
  address: memory.address + PAGE_SIZE_MAX,
  bytes: memory.bytes.subarray(PAGE_SIZE_MAX, PAGE_SIZE_MAX + DATA_DISTANCE),
  pidfdOffset: 16,
  tableOffset: 64,
};

type Argument = number | bigint | Uint8Array | null;
type Syscall6 = (
  nr: number,
  a: Argument,
  b: Argument,
  c: Argument,
  d: Argument,
  e: Argument,
  f: Argument,
) => number;

/** A raw system call: the kernel's result, or the negated error number. */
export const syscall6 = CFunction({
  ptr: entryAddress("syscall6") as Pointer,
  args: ["i32", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"],
  returns: FFIType.i64_fast,
}) as unknown as Syscall6;

let runStepsFunction: ((first: number, cell: number) => number) | undefined;

/** Runs steps in this process until one returns; `first` and `cell` are addresses of pages. */
export function runSteps(first: number, cell: number): void {
  runStepsFunction ??= CFunction({
    ptr: entryAddress("run") as Pointer,
    args: ["ptr", "ptr"],
    returns: FFIType.i64_fast,
  }) as unknown as (first: number, cell: number) => number;
  runStepsFunction(first, cell);
}
