/** The options of update, and the resources that they mean. */

import type { RdtSchemas } from "../../engine/bundle/update.ts";
import { parseBytes } from "../../engine/options/bytes.ts";
import { CommandLineError } from "../command_line_error.ts";
import type { OptionSpec, ParsedOptions } from "../options.ts";
import { wholeNumber } from "./values.ts";

/** What an option's value is. */
type Kind = "number" | "bytes" | "text";

type Section = "blockIO" | "cpu" | "memory" | "pids";

/** One limit: its option, its place in the resources, the form of its value. */
interface Limit {
  readonly option: string;
  readonly section: Section;
  readonly member: string;
  readonly kind: Kind;
  readonly help: string;
}

/** By option: `section member kind help`. */
const LIMITS: readonly Limit[] = Object.entries({
  "blkio-weight": "blockIO weight number Share of input and output, 10 to 1000",
  "cpu-burst": "cpu burst number Microseconds that may be saved up",
  "cpu-idle": "cpu idle number 1: run only when nothing else does",
  "cpu-period": "cpu period number Microseconds of a period",
  "cpu-quota": "cpu quota number Microseconds of processor time in a period",
  "cpu-rt-period": "cpu realtimePeriod number Microseconds of a realtime period",
  "cpu-rt-runtime": "cpu realtimeRuntime number Microseconds of realtime in a period",
  "cpu-share": "cpu shares number Share of processor time",
  "cpuset-cpus": "cpu cpus text Processors, as 0-2,5",
  "cpuset-mems": "cpu mems text Memory nodes, as 0,1",
  "kernel-memory": "memory kernel bytes Kernel memory (version 1)",
  "kernel-memory-tcp": "memory kernelTCP bytes Kernel memory for TCP (version 1)",
  memory: "memory limit bytes Memory",
  "memory-reservation": "memory reservation bytes Memory that is kept when it gets scarce",
  "memory-swap": "memory swap bytes Memory and swap together, -1: no limit",
  "pids-limit": "pids limit number Processes, -1: no limit",
}).map(([option, text]) => {
  const [section, member = "", kind, ...help] = text.split(" ");
  return { option, section: section as Section, member, kind: kind as Kind, help: help.join(" ") };
});

/** Options for shares of caches and memory bandwidth. */
const RDT = {
  l3CacheSchema: ["l3-cache-schema", "Share of caches, as L3:0=ff;1=f"],
  memBwSchema: ["mem-bw-schema", "Share of memory bandwidth, as MB:0=50"],
} as const;

const WORDS: Readonly<Record<Kind, string>> = { number: "n", bytes: "bytes", text: "list" };

/** The options, without help. */
export const UPDATE_OPTIONS: readonly OptionSpec[] = [
  {
    name: "resources",
    alias: "r",
    kind: "string",
    value: "file",
    help: "File with the resources as JSON, or - for standard input; other options do not count then",
  },
  ...LIMITS.map(
    ({ option, kind, help }): OptionSpec => ({
      name: option,
      kind: "string",
      value: WORDS[kind],
      help,
    }),
  ),
  ...Object.values(RDT).map(([name, help]): OptionSpec => ({ name, kind: "string", value: "schema", help })),
];

/** The resources that the options mean. @throws {CommandLineError} for none, or a value that is none. */
export function resourcesOf(parsed: ParsedOptions): Readonly<Record<string, object>> {
  const resources: Record<string, Record<string, number | string>> = {};
  for (const { option, section, member, kind } of LIMITS) {
    const value = valueFor(parsed, option, kind);
    if (value !== undefined) resources[section] = { ...resources[section], [member]: value };
  }
  if (Object.keys(resources).length > 0 || rdtOf(parsed) !== undefined) return resources;
  throw new CommandLineError("update needs a limit: give --resources, or an option such as --memory");
}

/** The shares that the options mean; undefined for none. */
export function rdtOf(parsed: ParsedOptions): RdtSchemas | undefined {
  const given = Object.entries(RDT).flatMap(([member, [name]]) => {
    const text = parsed.text(name);
    return text === undefined ? [] : [[member, text] as const];
  });
  return given.length === 0 ? undefined : (Object.fromEntries(given) as RdtSchemas);
}

const NUMBERS = { min: -1, max: Number.MAX_SAFE_INTEGER } as const;

function valueFor(parsed: ParsedOptions, option: string, kind: Kind): number | string | undefined {
  const text = parsed.text(option);
  if (kind === "number") return wholeNumber(parsed, option, NUMBERS);
  if (text === undefined || kind === "text") return text;
  if (text === "-1") return -1;
  try {
    return parseBytes(text);
  } catch (error) {
    throw new CommandLineError(`invalid value "${text}" for --${option}`, { cause: error });
  }
}
