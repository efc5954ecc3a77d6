/**
 * The parts of a program of system calls: steps, the values that steps hand to each other, and places in memory.
 * What they are for is said in program.ts; how they become bytes in encode.ts.
 */
import type { SyscallName } from "./abi/numbers.ts";

/** Operations of the loop that are no system calls, by the number that the machine code knows. */
export const operations = { field: -1, add: -2, return: -3 } as const;

/** A system call or an operation of the loop. */
export type StepName = SyscallName | keyof typeof operations;

/** A value that is known only when the program runs, e.g. a descriptor: the result of one or several steps. */
export class Variable {
  /** For `--explain`: `root`, `$3`. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** Bytes inside the program that steps read and write; zero at first. */
export class Room {
  readonly size: number;
  readonly offset: number;
  readonly parent: Room | undefined;

  constructor(size: number, offset = 0, parent?: Room) {
    this.size = size;
    this.offset = offset;
    this.parent = parent;
  }

  /** The part of this room that begins `offset` bytes after its start. */
  at(offset: number): Room {
    return new Room(this.size - offset, this.offset + offset, this.parent ?? this);
  }
}

/**
 * A string that differs from run to run while everything else of a program stays: its name, host name, paths. A
 * compiled program is used again with other strings of the same length in its slots.
 */
export class Slot {
  readonly name: string;
  readonly text: string;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }
}

/** A structure of 64-bit words in the program's data, some of them addresses or results. */
export class Words {
  readonly values: readonly Argument[];

  constructor(values: readonly Argument[]) {
    this.values = values;
  }
}

/**
 * What an argument of a step can be: a number; a string, passed as the address of its NUL-terminated bytes; bytes,
 * passed by address; a list of strings, passed as a NULL-terminated table (argv); or something known later.
 */
export type Argument =
  | number
  | bigint
  | string
  | Uint8Array
  | null
  | readonly string[]
  | Variable
  | Room
  | Slot
  | Words;

/** A place in a program that a step can go on to; set by `Program.place`. */
export class Label {
  /** Index of the step that follows it; -1 until it is placed. */
  index = -1;
  /** Address of the first step of another program that this one goes on to. */
  readonly address: number | undefined;

  constructor(address?: number) {
    this.address = address;
  }
}

/** One system call of a program, and where to go on from it. */
export class Step {
  readonly name: StepName;
  readonly args: readonly Argument[];
  /** What the program is doing here, in the words of an error message: "mount /proc". */
  readonly purpose: string;
  /** Where the result goes; made when somebody asks for it. */
  target: Variable | undefined;
  /** A fixed address that the result goes to instead: a field of the report page. */
  storeAddress: number | undefined;
  positive: Label | undefined;
  zero: Label | undefined;
  error: Label | "next" | undefined;

  constructor(name: StepName, args: readonly Argument[], purpose: string) {
    this.name = name;
    this.args = args;
    this.purpose = purpose;
  }

  /** The result of this step, to be used as an argument of other steps. */
  get result(): Variable {
    this.target ??= new Variable(this.name);
    return this.target;
  }

  /** Stores the result in a variable that other steps may set too. */
  into(variable: Variable): this {
    this.target = variable;
    return this;
  }

  /** Stores the result at a fixed address: a field of the report page. */
  storeAt(address: number): this {
    this.storeAddress = address;
    return this;
  }

  /** Goes on at `label` when the result is an error; without it an error ends the program and is reported. */
  onError(label: Label): this {
    this.error = label;
    return this;
  }

  /** Goes on with the next step when the result is an error. */
  ignoreErrors(): this {
    this.error = "next";
    return this;
  }

  /** Goes on at `label` when the result is zero. */
  onZero(label: Label): this {
    this.zero = label;
    return this;
  }

  /** Goes on at `label` when the result is greater than zero. */
  onPositive(label: Label): this {
    this.positive = label;
    return this;
  }

  /** Goes on at `label` unless the result is an error. */
  onSuccess(label: Label): this {
    this.zero = label;
    this.positive = label;
    return this;
  }
}
