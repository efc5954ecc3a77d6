/** The processes of a container as ps(1) shows them. */
import { existsSync } from "node:fs";
import { RuntimeError } from "./context.ts";

/** Where distributions keep it; PATH is the caller's and not asked. */
const PROGRAMS = ["/usr/bin/ps", "/bin/ps"] as const;

/** Largest output that is read; ps writes some hundred bytes for each process of the machine. */
const OUTPUT_SIZE_MAX = 64 << 20;

/**
 * Runs ps with `options` (`-ef` without any) and keeps the header and the lines of `pids`.
 * @throws {RuntimeError} when there is no ps, it fails, or prints no column PID.
 */
export function processTable(pids: readonly number[], options: readonly string[]): string {
  const program = PROGRAMS.find(existsSync);
  if (program === undefined) {
    throw new RuntimeError("cannot find the program ps", {
      hint: "Install the package procps, or print the ids alone with --format json",
    });
  }
  const { exitCode, stdout, stderr } = Bun.spawnSync([program, ...(options.length > 0 ? options : ["-ef"])], {
    env: {},
    stdin: "ignore",
    maxBuffer: OUTPUT_SIZE_MAX,
  });
  if (exitCode !== 0) throw new RuntimeError(`ps has failed: ${stderr.toString().trim()}`);
  return filterTable(stdout.toString(), pids);
}

/** The header and those lines whose PID is one of `pids`. @throws {RuntimeError} without a column PID. */
export function filterTable(table: string, pids: readonly number[]): string {
  const [header = "", ...lines] = table.split("\n");
  const column = header.trim().split(/\s+/).indexOf("PID");
  if (column < 0) throw new RuntimeError("cannot find the column PID in the output of ps");
  const wanted = new Set(pids.map(String));
  const kept = lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ""));
  return [header, ...kept].map((line) => `${line}\n`).join("");
}
