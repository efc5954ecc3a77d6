/** Measurements as a Markdown table: medians with spread, and how bunker compares with each of the others. */
import type { Measurement } from "./measure.ts";

const BYTES_PER_MB = 1_000_000;

/** A contestant that was not measured, and why. */
export interface Missing {
  readonly name: string;
  readonly reason: string;
}

/** Contestants whose program this machine lacks. */
export const notInstalled = (names: readonly string[]): Missing[] =>
  names.map((name) => ({ name, reason: "not installed" }));

/**
 * One table. The first measurement is bunker's, and the ratio in a row is bunker's median divided by that row's.
 */
export function formatTable(
  title: string,
  measured: readonly Measurement[],
  missing: readonly Missing[],
): string {
  const own = measured[0] === undefined ? Number.NaN : median(measured[0].timesMs);
  const rows = measured.map((measurement, index) => formatRow(measurement, index === 0 ? undefined : own));
  const lines = [
    `| ${title} | median ms | min–max ms | bunker takes | CPU ms | peak memory MB |`,
    "|---|---|---|---|---|---|",
    ...rows,
    ...missing.map(({ name, reason }) => `| ${name} | ${reason} | | | | |`),
  ];
  return `${lines.join("\n")}\n`;
}

function formatRow(
  { name, timesMs, cpuMs, peakBytes, failure }: Measurement,
  own: number | undefined,
): string {
  if (failure !== undefined) {
    return `| ${name} | failed | | | | ${failure.replaceAll(/\s+/g, " ").replaceAll("|", "\\|")} |`;
  }
  const middle = median(timesMs);
  const spread = `${round(Math.min(...timesMs))}–${round(Math.max(...timesMs))}`;
  const ratio = own === undefined ? "" : `${(own / middle).toFixed(2)} of it`;
  const peak = peakBytes === undefined ? "" : Math.round(peakBytes / BYTES_PER_MB);
  const shown = own === undefined ? `**${name}**` : name;
  const cpu = cpuMs.length === 0 ? "" : round(median(cpuMs));
  return `| ${shown} | ${round(middle)} | ${spread} | ${ratio} | ${cpu} | ${peak} |`;
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[Math.floor(half)] as number;
  return ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

const round = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));
