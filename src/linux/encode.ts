/**
 * Turns a program into bytes for a given address: first the steps, eleven 64-bit words each, then strings, tables
 * and rooms. A result goes straight into the argument word of the step that uses it; where it is used more than
 * once, `field` steps that copy it are put after its step. Words are written as two halves of a Uint32Array:
 * BigInt and DataView cost milliseconds at start (measured, ADR 0001).
 */
import { assert } from "../assert.ts";
import { numbers } from "./abi/numbers.ts";
import { cstr } from "./call.ts";
import { architecture } from "./machine.ts";
import type { ProgramCore } from "./program_core.ts";
import { type Argument, type Label, operations, Room, Slot, type Step, Variable, Words } from "./step.ts";

/** Words of one step: number, six arguments, result, three ways on. */
const WORDS_A_STEP = 11;
/** Bytes of one encoded step. */
export const STEP_SIZE = WORDS_A_STEP * 8;
const RESULT = 7;
const POSITIVE = 8;
const ZERO = 9;
const ERROR = 10;
/** Largest program, in bytes; a container's is some 20 KB. */
const PROGRAM_SIZE_MAX = 4 << 20;

/** A program as bytes for one address. */
export interface EncodedProgram {
  readonly bytes: Uint8Array;
  /** Offset of each slot's text, by its name. */
  readonly slots: ReadonlyMap<string, number>;
  /** The step at an address, as the report page names it. */
  stepAt(address: number): Step | undefined;
  /** Address of the step at an index of the program. */
  addressOfStep(index: number): number;
  /** Address of the step after a label. */
  addressOfLabel(label: Label): number;
  /** Address of a room, for the parent of a program that runs in this process. */
  addressOfRoom(room: Room): number;
}

/** Encodes `program` to run at `base`. @throws {RangeError} when it is larger than 4 MiB. */
export function encodeProgram(program: ProgramCore, base: number): EncodedProgram {
  const encoder = new Encoder(program, base);
  encoder.encode();
  return {
    bytes: encoder.finish(),
    slots: encoder.slots,
    stepAt: (address) => encoder.stepAt(address),
    addressOfStep: (index) => encoder.addressOfStep(index),
    addressOfLabel: (label) => encoder.addressOfLabel(label),
    addressOfRoom: (room) => encoder.address(room),
  };
}

const utf8 = new TextEncoder();

class Encoder {
  readonly #program: ProgramCore;
  readonly #base: number;
  #bytes: Uint8Array;
  #words: Uint32Array;
  #end: number;
  /** Encoded index of each step of the program; copies take indices between. */
  readonly #positions: number[] = [];
  readonly slots = new Map<string, number>();
  readonly #uses = new Map<Variable, number[]>();
  readonly #pool = new Map<string | Uint8Array | Room, number>();
  /** Word offset of a place for results that nobody uses. */
  readonly #sink: number;

  constructor(program: ProgramCore, base: number) {
    this.#program = program;
    this.#base = base;
    let count = 0;
    const useCounts = countUses(program);
    for (const step of program.steps) {
      this.#positions.push(count);
      count += Math.max(1, step.target === undefined ? 1 : (useCounts.get(step.target) ?? 0));
    }
    this.#positions.push(count);
    this.#sink = count * STEP_SIZE;
    this.#end = this.#sink + 8;
    this.#bytes = new Uint8Array(new ArrayBuffer(Math.max(16384, this.#end * 2)));
    this.#words = new Uint32Array(this.#bytes.buffer);
  }

  encode(): void {
    const { steps } = this.#program;
    for (let index = 0; index < steps.length; index++) this.#encodeArguments(steps[index] as Step, index);
    for (let index = 0; index < steps.length; index++) this.#encodeWays(steps[index] as Step, index);
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  stepAt(address: number): Step | undefined {
    const position = (address - this.#base) / STEP_SIZE;
    if (position < 0 || position >= (this.#positions.at(-1) as number)) return undefined;
    const index = this.#positions.findLastIndex((first) => first <= position);
    return this.#program.steps[index];
  }

  address(room: Room): number {
    return this.#base + this.#placeRoom(room.parent ?? room) + room.offset;
  }

  addressOfStep(index: number): number {
    return this.#base + (this.#positions[index] as number) * STEP_SIZE;
  }

  addressOfLabel(label: Label): number {
    return label.address ?? this.#base + this.#position(label) * STEP_SIZE;
  }

  #encodeArguments(step: Step, index: number): void {
    const at = (this.#positions[index] as number) * STEP_SIZE;
    const nr =
      step.name in operations ? operations[step.name as "field"] : numbers[step.name as "read"][architecture];
    this.#put(at, nr as number);
    for (let i = 0; i < step.args.length; i++) this.#putArgument(at + 8 + 8 * i, step.args[i] as Argument);
  }

  #encodeWays(step: Step, index: number): void {
    const first = this.#positions[index] as number;
    const next = this.#positions[index + 1] as number;
    const uses = step.target === undefined ? [] : (this.#uses.get(step.target) ?? []);
    const copies = Math.max(0, uses.length - 1);
    const following = this.#base + next * STEP_SIZE;
    const positive = step.positive === undefined ? following : this.addressOfLabel(step.positive);
    const zero = step.zero === undefined ? following : this.addressOfLabel(step.zero);
    const error = step.error === "next" ? following : this.addressOfLabel(step.error ?? this.#program.giveUp);
    for (let copy = 0; copy <= copies; copy++) {
      const at = (first + copy) * STEP_SIZE;
      // The first result has gone to the first use; each copy reads it there.
      if (copy > 0) {
        this.#put(at, operations.field);
        this.#put(at + 8, this.#base + (uses[0] as number));
        this.#put(at + 24, -1);
      }
      this.#put(at + 8 * RESULT, step.storeAddress ?? this.#base + (uses[copy] ?? this.#sink));
      const last = copy === copies;
      const copying = this.#base + (first + copy + 1) * STEP_SIZE;
      this.#put(at + 8 * POSITIVE, last ? positive : copying);
      this.#put(at + 8 * ZERO, last ? zero : copying);
      this.#put(at + 8 * ERROR, error);
    }
  }

  #position(label: Label): number {
    assert(label.index >= 0, "a label of a program was never placed");
    return this.#positions[label.index] as number;
  }

  #putArgument(at: number, argument: Argument): void {
    if (typeof argument === "number") this.#put(at, argument);
    else if (argument === null) this.#put(at, 0);
    else if (typeof argument === "bigint") this.#putBig(at, argument);
    else if (argument instanceof Variable) this.#use(argument, at);
    else if (argument instanceof Room) this.#put(at, this.address(argument));
    else if (argument instanceof Slot) this.#put(at, this.#base + this.#placeSlot(argument));
    else this.#put(at, this.#base + this.#placeData(argument));
  }

  #use(variable: Variable, at: number): void {
    const uses = this.#uses.get(variable);
    if (uses === undefined) this.#uses.set(variable, [at]);
    else uses.push(at);
  }

  #placeData(data: string | Uint8Array | readonly string[] | Words): number {
    if (typeof data === "string" || data instanceof Uint8Array) return this.#placeBytes(data);
    if (data instanceof Words) return this.#placeWords(data.values);
    return this.#placeWords([...data, 0]);
  }

  #placeBytes(data: string | Uint8Array): number {
    const known = this.#pool.get(data);
    if (known !== undefined) return known;
    const text = typeof data === "string";
    const at = this.#reserve(text ? data.length * 3 + 1 : data.length);
    const target = this.#bytes.subarray(at);
    if (text) {
      if (data.includes("\0"))
        throw new TypeError(`Cannot pass ${JSON.stringify(data)} to the kernel: it holds a NUL`);
      this.#end = align(at + utf8.encodeInto(data, target).written + 1);
    } else {
      target.set(data);
    }
    this.#pool.set(data, at);
    return at;
  }

  #placeSlot({ name, text }: Slot): number {
    const known = this.slots.get(name);
    if (known !== undefined) return known;
    const at = this.#end;
    this.#placeBytes(cstr(text));
    this.slots.set(name, at);
    return at;
  }

  #placeWords(values: readonly Argument[]): number {
    const at = this.#reserve(values.length * 8);
    for (let i = 0; i < values.length; i++) this.#putArgument(at + 8 * i, values[i] as Argument);
    return at;
  }

  #placeRoom(room: Room): number {
    const known = this.#pool.get(room);
    if (known !== undefined) return known;
    const at = this.#reserve(room.size);
    this.#pool.set(room, at);
    return at;
  }

  #reserve(size: number): number {
    const at = this.#end;
    this.#end = align(at + size);
    if (this.#end > PROGRAM_SIZE_MAX)
      throw new RangeError(`Cannot encode a program: it is larger than 4 MiB`);
    if (this.#end > this.#bytes.length) {
      const grown = new Uint8Array(new ArrayBuffer(align(this.#end * 2)));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#words = new Uint32Array(grown.buffer);
    }
    return at;
  }

  #put(at: number, value: number): void {
    const word = at >>> 2;
    this.#words[word] = value >>> 0;
    this.#words[word + 1] = Math.floor(value / 0x1_0000_0000) >>> 0;
  }

  #putBig(at: number, value: bigint): void {
    const word = at >>> 2;
    this.#words[word] = Number(value & 0xffffffffn);
    this.#words[word + 1] = Number((value >> 32n) & 0xffffffffn);
  }
}

const align = (offset: number): number => (offset + 7) & ~7;

function countUses(program: ProgramCore): Map<Variable, number> {
  const counts = new Map<Variable, number>();
  const count = (argument: Argument): void => {
    if (argument instanceof Variable) counts.set(argument, (counts.get(argument) ?? 0) + 1);
    else if (argument instanceof Words) argument.values.forEach(count);
  };
  for (const step of program.steps) step.args.forEach(count);
  return counts;
}
