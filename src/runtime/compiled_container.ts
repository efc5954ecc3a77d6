/**
 * A container's program as an executable, in two parts: the set-up, and the command. The set-up of one image with the
 * same options is the same each time but for a few strings of fixed length, its slots; compiled once, it is kept in a
 * file and used again with other strings in its slots. That saves two thirds of the time between the start of bunker
 * and clone3 (ADR 0008).
 *
 *     file: { key, slots } as one line of JSON, then the bytes of the encoded set-up
 *
 * The key is everything that the set-up is planned from; the name is a hash of it, and the whole key is compared.
 */

import { cstr } from "../linux/call.ts";
import { FIRST_ADDRESS, SECOND_ADDRESS, writeExecutable } from "../linux/elf.ts";
import { type EncodedProgram, encodeProgram } from "../linux/encode.ts";
import { Program } from "../linux/program.ts";
import { readSmallFile } from "../linux/small_file.ts";
import { type Executable, finishProgram, programWithReport } from "../linux/spawn.ts";
import { Label } from "../linux/step.ts";
import type { HostPlan } from "./container_plan.ts";
import { planExecute } from "./process/execute.ts";
import { overlaySlots } from "./rootfs/overlay_slots.ts";
import type { Spec } from "./spec/config.ts";

/** Number of the format and of the planner: a change of either makes older files useless. */
const VERSION = 2;
const NEWLINE = 0x0a;
const utf8 = new TextDecoder();

/** A compiled container. */
export interface CompiledContainer {
  readonly executable: Executable;
  /** Set when the set-up was compiled now: its file for the next time. */
  readonly store: { readonly path: string; readonly content: Uint8Array } | undefined;
}

/** Compiles a container, or takes the set-up from `directory` where it has been compiled before. */
export async function compileContainer(
  spec: Spec,
  host: HostPlan,
  directory: string,
): Promise<CompiledContainer> {
  const key = keyOf(spec, host);
  const path = `${directory}/${Bun.hash(key).toString(16)}`;
  const known = readSetup(path, key, slotsOf(spec, host));
  const setup =
    known === undefined ? await compileSetup(spec, host, key) : { bytes: known, content: undefined };
  const command = encodeProgram(planCommandPart(spec), SECOND_ADDRESS);
  const stepAt = async (address: number) =>
    command.stepAt(address) ?? encodeProgram(await planSetup(spec, host), FIRST_ADDRESS).stepAt(address);
  return {
    executable: { file: writeExecutable(setup.bytes, command.bytes), stepAt },
    store: setup.content === undefined ? undefined : { path, content: setup.content },
  };
}

interface CompiledSetup {
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
}

async function compileSetup(spec: Spec, host: HostPlan, key: string): Promise<CompiledSetup> {
  const compiled = encodeProgram(await planSetup(spec, host), FIRST_ADDRESS);
  return { bytes: compiled.bytes, content: setupFile(key, compiled) };
}

/** The whole program as one, for `--explain`. */
export async function explainableProgram(spec: Spec, host: HostPlan): Promise<Program> {
  const { planContainer } = await import("./container_plan.ts");
  const program = programWithReport();
  planContainer(program, spec, host);
  planExecute(program, spec.process);
  return finishProgram(program);
}

/** The planner is loaded only when there is something to plan. */
async function planSetup(spec: Spec, host: HostPlan): Promise<Program> {
  const { planContainer } = await import("./container_plan.ts");
  const program = programWithReport();
  planContainer(program, spec, host);
  program.section("go on with the command").jump(new Label(SECOND_ADDRESS));
  return finishProgram(program);
}

function planCommandPart(spec: Spec): Program {
  const program = new Program();
  planExecute(program, spec.process);
  return finishProgram(program);
}

/** Everything that {@link planContainer} reads, with lengths in the place of what goes into slots. */
function keyOf(spec: Spec, host: HostPlan): string {
  const { process } = spec;
  return JSON.stringify([
    VERSION,
    {
      ...spec,
      hostname: spec.hostname.length,
      process: { ...process, args: 0, env: 0, capabilities: `${process.capabilities}` },
    },
    {
      ...host,
      root: host.root.kind === "overlay" ? { ...host.root, scratch: host.root.scratch.length } : host.root,
      files: host.files.map(({ path, content }) => [path, Buffer.byteLength(content)]),
      seccompFilter: host.seccompFilter?.toBase64(),
      hostBounding: `${host.hostBounding}`,
    },
  ]);
}

/** What goes into the slots that {@link planContainer} makes. */
function slotsOf({ hostname }: Spec, { root, files }: HostPlan): ReadonlyMap<string, string> {
  const slots = new Map([["hostname", hostname]]);
  for (const { path, content } of files) slots.set(path, content);
  if (root.kind === "overlay") for (const [name, text] of overlaySlots(root)) slots.set(name, text);
  return slots;
}

function setupFile(key: string, { bytes, slots }: EncodedProgram): Uint8Array {
  const head = new TextEncoder().encode(`${JSON.stringify({ key, slots: [...slots] })}\n`);
  const file = new Uint8Array(head.length + bytes.length);
  file.set(head);
  file.set(bytes, head.length);
  return file;
}

/** Undefined when there is no such file, it is of another key, or it is damaged. */
function readSetup(path: string, key: string, texts: ReadonlyMap<string, string>): Uint8Array | undefined {
  const file = readSmallFile(path);
  const end = file?.indexOf(NEWLINE) ?? -1;
  if (file === undefined || end < 0) return undefined;
  const head = parseHead(utf8.decode(file.subarray(0, end)));
  if (head?.key !== key) return undefined;
  const bytes = file.subarray(end + 1);
  for (const [name, offset] of head.slots) bytes.set(cstr(texts.get(name) ?? ""), offset);
  return bytes;
}

interface Head {
  readonly key: string;
  readonly slots: ReadonlyArray<readonly [name: string, offset: number]>;
}

function parseHead(text: string): Head | undefined {
  try {
    return JSON.parse(text) as Head;
  } catch {
    // A power loss may leave zeros: compiling again mends it.
    return undefined;
  }
}
