/** Parsers of the control files that statistics are read from. Numbers have 64 bits: bigints until they are printed. */
import { readdirSync } from "node:fs";
import { readControlFile } from "./control_file.ts";
import type { BlkioEntry, CgroupStats, Count, Pressure, PressureLine } from "./stats.ts";

/** ES2025's JSON.rawJSON, which the library's types do not have yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object };

/** A number as JSON prints it. */
export const count = (value: bigint): Count =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : rawJSON(String(value));

/** What version 2 calls `max`, as a number of Go's uint64. */
const MAX = 2n ** 64n - 1n;

/** One number, `max`, or 0 where there is no such file. */
export function numberOf(text: string | undefined): bigint {
  const word = (text ?? "").trim();
  if (word === "max") return MAX;
  return /^[0-9]+$/.test(word) ? BigInt(word) : 0n;
}

/** Lines of `key number`; others are left out. */
export function tableOf(text: string | undefined): Record<string, bigint> {
  const table: Record<string, bigint> = {};
  for (const line of (text ?? "").split("\n")) {
    const found = /^(\S+) ([0-9]+)$/.exec(line);
    if (found !== null) table[found[1] as string] = BigInt(found[2] as string);
  }
  return table;
}

/** The same, ready to be printed; undefined when it is empty. */
export function printedTable(table: Readonly<Record<string, bigint>>): Record<string, Count> {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, count(value)]));
}

/** Leaves a zero out, as Go's omitempty does. */
export const unlessZero = <K extends string>(key: K, value: bigint): { readonly [k in K]?: Count } =>
  value === 0n ? {} : ({ [key]: count(value) } as { readonly [k in K]: Count });

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and `full` where the kernel counts it. */
export function pressureOf(text: string | undefined): Pressure | undefined {
  if (text === undefined || !text.includes("avg10=")) return undefined;
  return { some: pressureLine(text, "some"), full: pressureLine(text, "full") };
}

function pressureLine(text: string, name: string): PressureLine {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `)) ?? "";
  const value = (key: string): string => new RegExp(` ${key}=(\\S+)`).exec(line)?.[1] ?? "0";
  return {
    avg10: Number(value("avg10")),
    avg60: Number(value("avg60")),
    avg300: Number(value("avg300")),
    total: count(BigInt(value("total"))),
  };
}

/** One entry of a table by device, without its zeros. */
export function blkioEntry([major, minor]: readonly [number, number], op: string, value: bigint): BlkioEntry {
  return {
    ...(major === 0 ? {} : { major }),
    ...(minor === 0 ? {} : { minor }),
    op,
    ...unlessZero("value", value),
  };
}

/** Sizes of huge pages as control files are named after them: `2MB`, `1GB`. */
export function hugepageSizes(): string[] {
  return directoryNames("/sys/kernel/mm/hugepages").flatMap((name) => {
    const kilobytes = Number(/^hugepages-([0-9]+)kB$/.exec(name)?.[1] ?? 0);
    if (kilobytes === 0) return [];
    if (kilobytes >= 1 << 20) return [`${kilobytes >> 20}GB`];
    return kilobytes >= 1 << 10 ? [`${kilobytes >> 10}MB`] : [`${kilobytes}KB`];
  });
}

function directoryNames(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    // A kernel without huge pages.
    return [];
  }
}

/** The same table in both versions. */
export function pidsOf(read: Reader): CgroupStats["pids"] {
  const max = read("pids.max");
  return {
    ...unlessZero("current", numberOf(read("pids.current"))),
    ...(max === undefined || max === "max\n" ? {} : { limit: count(numberOf(max)) }),
  };
}

/** Reads a file of a group. */
export type Reader = (file: string) => string | undefined;

/** Reads files of one directory; what does not exist, or cannot be read here, is undefined. */
export const readerOf =
  (directory: string | undefined): Reader =>
  (file) => {
    if (directory === undefined) return undefined;
    try {
      return readControlFile(`${directory}/${file}`);
    } catch {
      // Statistics that this kernel does not keep, e.g. EOPNOTSUPP of pressure files.
      return undefined;
    }
  };
