/**
 * A container's program as an executable, in two parts: the set-up, and the command. The set-up of one image with the
 * same options is the same each time but for a few strings of fixed length, its slots; compiled once, it is kept in a
 * file and used again with other strings in its slots. That saves two thirds of the time between the start of bunker
 * and clone3 (ADR 0008).
 *
 *     file: { key, identity, slots } as one line of JSON, then the bytes of the encoded set-up
 *
 * The key is everything that the set-up is planned from; the name is a hash of it, and the whole key is compared.
 * Who the user is in the image is kept too, and the next container does not ask.
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
import type { Identity } from "./process/identity.ts";
import { overlaySlots } from "./rootfs/overlay_slots.ts";
import type { Spec } from "./spec/config.ts";

/** What scripts/build.ts puts here: a hash of the sources. Another build plans anew, whatever it changed. */
declare const BUNKER_BUILD: string;
/** Undefined when run from the sources, which change: nothing is kept then. */
const build = typeof BUNKER_BUILD === "string" ? BUNKER_BUILD : undefined;
const NEWLINE = 0x0a;
const utf8 = new TextDecoder();

/** What a container is compiled from. */
export interface ContainerSource {
  readonly spec: Spec;
  readonly host: HostPlan;
  /** `name|uid[:group|gid]`, looked up in the container when the spec has no user. */
  readonly user: string;
}

/** A compiled container. */
export interface CompiledContainer {
  readonly executable: Executable;
  /** Whether the program asks who its user is. */
  readonly asksForUser: boolean;
  /** Makes the file for the next time; undefined when there is one already, or none is wanted. */
  readonly store: ((identity: Identity | undefined) => Promise<CompiledFile>) | undefined;
}

/** A compiled set-up to be kept. */
export interface CompiledFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** Compiles a container, or takes the set-up from `directory` where it has been compiled before. */
export async function compileContainer(
  source: ContainerSource,
  directory: string,
): Promise<CompiledContainer> {
  const key = keyOf(source);
  const path = `${directory}/${Bun.hash(key).toString(16)}`;
  const known = build === undefined ? undefined : readSetup(path, key, slotsOf(source.spec, source.host));
  const spec = specFor(source.spec, known?.identity);
  const { bytes } = known ?? (await encodeSetup(spec, source.host));
  const command = encodeProgram(planCommandPart(spec), SECOND_ADDRESS);
  const stepAt = async (address: number) =>
    command.stepAt(address) ?? (await encodeSetup(spec, source.host)).stepAt(address);
  const store = async (identity: Identity | undefined) => {
    const lasting = lastingIdentity(source.spec, identity);
    const setup = await encodeSetup(specFor(source.spec, lasting), source.host);
    return { path, content: setupFile({ key, identity: lasting, slots: [...setup.slots] }, setup.bytes) };
  };
  return {
    executable: { file: writeExecutable(bytes, command.bytes), stepAt },
    asksForUser: spec.process.user === undefined,
    store: known === undefined && build !== undefined ? store : undefined,
  };
}

/** The spec with the user that an earlier container of the same image was found to have. */
function specFor(spec: Spec, identity: Identity | undefined): Spec {
  if (identity === undefined) return spec;
  const { process } = spec;
  const hasHome = process.env.some((entry) => entry.startsWith("HOME="));
  const env = hasHome ? process.env : [...process.env, `HOME=${identity.home}`];
  return { ...spec, process: { ...process, env, user: identity } };
}

/** The image says who its users are, and does not change; what the user mounts over it may. */
const lastingIdentity = (spec: Spec, identity: Identity | undefined): Identity | undefined =>
  spec.mounts.length === 0 ? identity : undefined;

async function encodeSetup(spec: Spec, host: HostPlan): Promise<EncodedProgram> {
  return encodeProgram(await planSetup(spec, host), FIRST_ADDRESS);
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
function keyOf({ spec, host, user }: ContainerSource): string {
  const { process } = spec;
  return JSON.stringify([
    build,
    user,
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

/** The first line of a file. */
interface Head {
  readonly key: string;
  readonly identity?: Identity | undefined;
  readonly slots: ReadonlyArray<readonly [name: string, offset: number]>;
}

function setupFile(head: Head, bytes: Uint8Array): Uint8Array {
  const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const file = new Uint8Array(line.length + bytes.length);
  file.set(line);
  file.set(bytes, line.length);
  return file;
}

interface KnownSetup {
  readonly bytes: Uint8Array;
  readonly identity: Identity | undefined;
}

/** Undefined when there is no such file, it is of another key, or it is damaged. */
function readSetup(path: string, key: string, texts: ReadonlyMap<string, string>): KnownSetup | undefined {
  const file = readSmallFile(path);
  const end = file?.indexOf(NEWLINE) ?? -1;
  if (file === undefined || end < 0) return undefined;
  const head = parseHead(utf8.decode(file.subarray(0, end)));
  if (head?.key !== key) return undefined;
  const bytes = file.subarray(end + 1);
  for (const [name, offset] of head.slots) bytes.set(cstr(texts.get(name) ?? ""), offset);
  return { bytes, identity: head.identity };
}

function parseHead(text: string): Head | undefined {
  try {
    return JSON.parse(text) as Head;
  } catch {
    // A power loss may leave zeros: compiling again mends it.
    return undefined;
  }
}
