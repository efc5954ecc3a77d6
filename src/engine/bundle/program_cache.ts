/**
 * Compiled programs, kept for the next container of the same bundle and for the next `exec` of the same process: planning and
 * encoding a program takes a cold start 4 to 5 ms, most of it code that runs for the first time (measured; as ADR 0008 has
 * it for images). What differs from container to container, its id and the paths of its control groups, stands in slots;
 * so do arguments and environment, which may be secret: a file is written with its slots empty.
 *
 *     ROOT/~programs/SHA256: { slots, lateSteps, warnings } as JSON of the first line, then the whole executable
 */
import { cstr } from "../../linux/call.ts";
import { FIRST_OFFSET, writeExecutable } from "../../linux/elf.ts";
import type { Executable } from "../../linux/spawn.ts";
import { type KeptPlace, keep, readKept } from "./kept_files.ts";
import type { PlannedProgram } from "./plan_program.ts";
import type { LateStep } from "./state_file.ts";

/** What of a kept program is JSON. */
interface Head {
  /** Offset of each slot's text in the executable, by its name. */
  readonly slots: ReadonlyArray<readonly [name: string, offset: number]>;
  readonly lateSteps: readonly LateStep[];
  /** What planning it had to warn of. */
  readonly warnings: readonly string[];
}

/** A program that is wanted. */
export interface ProgramRequest {
  /** Where it may be kept; undefined: nowhere. */
  readonly place: KeptPlace | undefined;
  /** What is put into its slots, by their names. */
  readonly texts: ReadonlyMap<string, string>;
  /** Plans it where it is not kept. @throws {UsageError} {ConfigError} for what cannot be honoured. */
  readonly plan: () => Promise<PlannedProgram>;
  /** Where planning puts what it has to warn of. */
  readonly warnings: readonly string[];
}

/** A compiled program. */
export interface CompiledProgram {
  readonly executable: Executable;
  readonly lateSteps: readonly LateStep[];
  /** What of the configuration is left out. */
  readonly warnings: readonly string[];
  /** Keeps the program for the next time; undefined when it is kept, or nothing is. */
  readonly keep: (() => void) | undefined;
}

/** The kept program with these texts in its slots, or a new one. */
export async function obtainProgram(request: ProgramRequest): Promise<CompiledProgram> {
  const { place, plan, texts } = request;
  const known = place === undefined ? undefined : findProgram(place, texts);
  if (known !== undefined) {
    const stepAt = async (address: number) => (await plan()).encoded.stepAt(address);
    const { file, lateSteps, warnings } = known;
    return { executable: { file, stepAt }, lateSteps, warnings, keep: undefined };
  }
  const { encoded, lateSteps } = await plan();
  const { warnings } = request;
  const file = writeExecutable(encoded.bytes);
  const slots = [...encoded.slots].map(([name, offset]) => [name, offset + FIRST_OFFSET] as const);
  const head = { slots, lateSteps, warnings };
  const keepIt =
    place === undefined ? undefined : () => keep(place, { head, body: emptied(file, head, texts) });
  return { executable: { file, stepAt: encoded.stepAt }, lateSteps, warnings, keep: keepIt };
}

type Texts = ProgramRequest["texts"];

function findProgram({ path }: KeptPlace, texts: Texts) {
  const file = readKept(path);
  if (file === undefined) return undefined;
  const { slots, lateSteps, warnings } = file.head as Head;
  for (const [name, offset] of slots) file.body.set(cstr(texts.get(name) ?? ""), offset);
  return { file: file.body, lateSteps, warnings };
}

/** A copy without what is in the slots. */
function emptied(file: Uint8Array, { slots }: Head, texts: Texts): Uint8Array {
  const empty = file.slice();
  for (const [name, offset] of slots) empty.fill(0, offset, offset + cstr(texts.get(name) ?? "").length);
  return empty;
}

/** Puts what a process is given into the slots of its program. */
export function addProcessTexts(
  texts: Map<string, string>,
  { args = [], env = [] }: { readonly args?: readonly string[]; readonly env?: readonly string[] },
): void {
  for (const [index, text] of args.entries()) texts.set(`arg ${index}`, text);
  for (const [index, text] of env.entries()) texts.set(`env ${index}`, text);
}
