/**
 * A program in words: every step as strace(1) would print it, results by name, and the ways on that are not the next
 * step. What is printed is what is run: both come from the same list.
 */
import { errnoName } from "./abi/errno.ts";
import { constantName } from "./abi/names.ts";
import type { ProgramCore } from "./program_core.ts";
import { type Argument, type Label, Room, Slot, type Step, Variable, Words } from "./step.ts";

/** The program as text, a line for each step, under the headings of its sections. */
export function explainProgram(program: ProgramCore): string {
  const names = nameVariables(program);
  const lines: string[] = [];
  let purpose = "";
  for (const [index, step] of program.steps.entries()) {
    if (step.purpose !== purpose) lines.push("", `# ${step.purpose}`);
    purpose = step.purpose;
    lines.push(`${String(index).padStart(4)}  ${explainStep(step, { program, names, index })}`);
  }
  return `${lines.slice(1).join("\n")}\n`;
}

/** One step as a call, for messages. */
export function describeStep(step: Step): string {
  const context = { program: undefined, names: new Map<Variable, string>(), index: 0 };
  return explainCall(
    step,
    step.args.map((argument, position) => explainArgument(argument, { step, position, ...context })),
  );
}

interface Context {
  readonly program: ProgramCore | undefined;
  readonly names: ReadonlyMap<Variable, string>;
  readonly index: number;
}

/** Results that are used get their step's number: `$12`. */
function nameVariables(program: ProgramCore): Map<Variable, string> {
  const names = new Map<Variable, string>();
  for (const [index, { target }] of program.steps.entries()) {
    if (target !== undefined && !names.has(target)) names.set(target, `$${index}`);
  }
  return names;
}

function explainStep(step: Step, context: Context): string {
  const args = step.args.map((argument, position) =>
    explainArgument(argument, { step, position, ...context }),
  );
  const result = step.target === undefined ? "" : ` = ${context.names.get(step.target) ?? "?"}`;
  return `${explainCall(step, args)}${result}${explainWays(step, context)}`;
}

function explainCall({ name, storeAddress }: Step, args: readonly string[]): string {
  const place = storeAddress === undefined ? "" : `report[${storeAddress & 0xfff}] = `;
  if (name === "field") return `${place}(*${args[0]} >> ${args[1]} & ${args[2]}) ^ ${args[3]}`;
  if (name === "add" && args[0]?.startsWith("-") === true) return `fail(${errnoName(-Number(args[0]))})`;
  if (name === "add")
    return args[0] === "0" && args[1] === "0"
      ? `${place}go on`
      : `${place}${args[0]} + ${args[1]} - ${args[2]}`;
  return `${place}${name}(${args.join(", ")})`;
}

function explainWays(step: Step, { program, index }: Context): string {
  const ways: string[] = [];
  const add = (when: string, label: Label | "next" | undefined) => {
    if (label === undefined) return;
    const to = label === "next" ? index + 1 : label.index;
    if (label === program?.giveUp) ways.push(`${when}: give up`);
    else ways.push(to === index + 1 ? `${when}: go on` : `${when}: ${to}`);
  };
  if (step.positive !== undefined && step.positive === step.zero) add("then", step.positive);
  else {
    add("positive", step.positive);
    add("zero", step.zero);
  }
  add("error", step.error);
  return ways.length === 0 ? "" : `   [${ways.join(", ")}]`;
}

interface Position extends Context {
  readonly step: Step;
  readonly position: number;
}

/** Longest string printed whole. */
const SHOWN_MAX = 80;

function explainArgument(argument: Argument, at: Position): string {
  if (argument === null) return "NULL";
  if (argument instanceof Variable) return at.names.get(argument) ?? argument.name;
  if (argument instanceof Room) return `room[${argument.size}]`;
  if (argument instanceof Slot) return quote(argument.text);
  // Values of the environment may be secrets, and errors end in logs.
  if (argument instanceof Words && isEnvironment(at)) return `[/* ${argument.values.length - 1} vars */]`;
  if (argument instanceof Words && isArguments(at))
    return `[${argument.values
      .slice(0, -1)
      .map((value) => explainArgument(value, at))
      .join(", ")}]`;
  if (argument instanceof Words)
    return `{${argument.values.map((value) => explainArgument(value, at)).join(", ")}}`;
  if (argument instanceof Uint8Array) return `[${argument.length} bytes]`;
  if (typeof argument === "string") return quote(argument);
  if (typeof argument === "bigint") return `0x${argument.toString(16)}`;
  if (typeof argument === "number") return constantName(at.step.name, at.position, argument);
  return `[${argument.map(quote).join(", ")}]`;
}

const isEnvironment = ({ step, position }: Position): boolean => step.name === "execve" && position === 2;

const isArguments = ({ step, position }: Position): boolean => step.name === "execve" && position === 1;

const quote = (text: string): string =>
  text.length > SHOWN_MAX ? `${JSON.stringify(text.slice(0, SHOWN_MAX))}...` : JSON.stringify(text);
