/**
 * A program of system calls: the list of steps, places to jump to, memory, and what becomes of a step that fails.
 * JavaScript must never run inside a half-built container (ADR 0001), so the set-up is written down here as data
 * and run by some fifty machine instructions. program.ts adds one method for each system call.
 */
import { type Argument, Label, Room, Slot, Step, type StepName, Variable, Words } from "./step.ts";

/** Where the report about the program goes: shared with the process that started it. Offsets into one page. */
export const report = {
  /** Address of the step that failed last (8 bytes), then its negated error number (8 bytes). */
  failure: 0,
  /** 1 when the program gave up because of that failure. */
  failed: 16,
  /** Id of the second process, where a container takes two (runtime/namespaces.ts). */
  second: 32,
  /** struct siginfo of the command, written by an init (128 bytes). */
  exit: 128,
  /** Values that the parent fills in while the program waits: from here to the end of the page. */
  values: 512,
  size: 4096,
} as const;

/** Address of the report page in a program that runs as a process of its own. */
export const reportAddress = 0x1000000;

/** The list of steps, and how it ends. */
export class ProgramCore {
  readonly steps: Step[] = [];
  /** Ends the program when a step fails that has no way on: marks the report, exits with 127. */
  readonly giveUp = new Label();
  #purpose = "start";

  /** Names what the next steps are for; shown by `--explain` and in errors ("Cannot <purpose>"). */
  section(purpose: string): this {
    this.#purpose = purpose;
    return this;
  }

  /** A place to be put later with {@link place}. */
  label(): Label {
    return new Label();
  }

  /** Puts `label` before the next step. */
  place(label: Label): this {
    label.index = this.steps.length;
    return this;
  }

  /** A value that several steps may set. */
  variable(name: string): Variable {
    return new Variable(name);
  }

  /** `size` zero bytes that live as long as the program. */
  room(size: number): Room {
    return new Room(size);
  }

  /** A structure of 64-bit words. */
  words(...values: readonly Argument[]): Words {
    return new Words(values);
  }

  /** A string that may differ when the compiled program is used again; its length may not. */
  slot(name: string, text: string): Slot {
    return new Slot(name, text);
  }

  /** Adds a step. */
  step(name: StepName, ...args: readonly Argument[]): Step {
    const step = new Step(name, args, this.#purpose);
    this.steps.push(step);
    return step;
  }

  /** ((the 64-bit word at `address` >> shift) & mask) ^ flip: extracts, and compares by `onZero`. */
  field(address: Argument, shift: number, mask: number, flip: Argument = 0): Step {
    return this.step("field", address, shift, mask, flip);
  }

  /** a + b - c. */
  add(a: Argument, b: Argument, c: Argument = 0): Step {
    return this.step("add", a, b, c);
  }

  /** Goes on at `label`. */
  jump(label: Label): Step {
    return this.add(0, 0).onSuccess(label);
  }

  /** Gives up with an error number of our own, as if a system call had answered it. */
  fail(errno: number): Step {
    return this.add(-errno, 0);
  }

  /** Goes on at `label` when the step that failed last failed with `errno`. */
  whenErrno(errno: number, label: Label): Step {
    const negated = reportAddress + report.failure + 8;
    return this.field(negated, 0, 0xffffffff, 0x1_0000_0000 - errno).onZero(label);
  }

  /** Leaves the loop; only for programs that run inside this process. */
  returns(): Step {
    return this.step("return");
  }
}
