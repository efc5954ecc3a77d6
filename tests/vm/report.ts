/** Reads what a machine has written: every test of every suite, and what the console says about one that failed. */
import { readTestCases, type TestCase } from "../../scripts/junit.ts";
import type { MachineOutput } from "./virtual_machine.ts";

/** One suite of a machine. */
export interface SuiteReport {
  readonly path: string;
  readonly exitCode: number;
  readonly cases: readonly TestCase[];
}

/** Everything that a machine has reported. */
export interface MachineReport {
  /** Seconds from the start of the kernel to that of the first suite; undefined when it never came so far. */
  readonly bootSeconds: number | undefined;
  readonly suites: readonly SuiteReport[];
  /** Whether all of its suites have ended. */
  readonly isComplete: boolean;
}

/** How much of the console is told about a test or machine that failed. */
const LINES_MAX = 60;

/** Its results, as far as it came. */
export function readReports({ reports }: Pick<MachineOutput, "reports">): MachineReport {
  const seconds = /^ready ([\d.]+)$/m.exec(reports)?.[1];
  // Each heading with what follows it until the next.
  const parts = reports.split(/^suite (?=\d+ \S+$)/m).slice(1);
  const suites = parts.map((part): SuiteReport => {
    const [, code = "", path = ""] = /^(\d+) (\S+)/.exec(part) ?? [];
    return { path, exitCode: Number(code), cases: readTestCases(part) };
  });
  return {
    bootSeconds: seconds === undefined ? undefined : Number(seconds),
    suites,
    isComplete: /^done$/m.test(reports),
  };
}

/** A suite that ran no test, or ended badly although none of its tests has failed: it crashed, or took too long. */
export function isBroken({ exitCode, cases }: SuiteReport): boolean {
  return cases.length === 0 || (exitCode !== 0 && cases.every(({ result }) => result !== "failed"));
}

/** What the console says of a failed test: the lines between the end of the test before it and its own. */
export function consoleOfTest(text: string, { name }: TestCase): string {
  const lines = text.split("\n");
  const end = lines.findIndex(
    (line) => ENDED.test(line) && line.includes(name.slice(name.indexOf(": ") + 2)),
  );
  if (end < 0) return lastLines(text);
  const before = lines.slice(0, end).findLastIndex((line) => ENDED.test(line));
  return lines.slice(Math.max(before + 1, end - LINES_MAX), end + 1).join("\n");
}

/** A line of `bun test` that ends a test, at a terminal and elsewhere. */
const ENDED = /^(\((pass|fail|skip)\)|[✓✗»]) /;

/** The end of the console: what a machine did last. */
export function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-LINES_MAX).join("\n");
}
