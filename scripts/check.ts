/**
 * Everything that a change needs before it is committed, in under 20 seconds: format and lint, types, unit tests, tidy.
 *
 *     Usage: bun run check
 */

import { TEST_MS_MAX } from "./test_limits.ts";

/** Steps in the order of their cost; all are run, so that one look shows everything. */
const STEPS: readonly (readonly [name: string, command: readonly string[]])[] = [
  ["format and lint", ["node_modules/.bin/biome", "check", "--error-on-warnings", "."]],
  ["types", ["node_modules/.bin/tsc", "--noEmit", "-p", "."]],
  ["tidy", [process.execPath, "test", "tests/tidy.test.ts"]],
  ["unit tests", [process.execPath, "test", `--timeout=${TEST_MS_MAX}`, "tests/unit"]],
];

/** Seconds that all steps may take together before somebody should look for the slow one. */
const SECONDS_MAX = 20;

async function runStep(name: string, command: readonly string[]): Promise<boolean> {
  const started = performance.now();
  const child = Bun.spawn([...command], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${exitCode === 0 ? "ok    " : "FAILED"}  ${name} (${seconds} s)`);
  if (exitCode !== 0) console.log(`${stdout}${stderr}`);
  return exitCode === 0;
}

async function main(): Promise<number> {
  const started = performance.now();
  let failed = 0;
  for (const [name, command] of STEPS) {
    // One after another: the machine has few cores, and the times are to be comparable.
    if (!(await runStep(name, command))) failed += 1;
  }
  const seconds = (performance.now() - started) / 1000;
  if (seconds > SECONDS_MAX) console.log(`slow: ${seconds.toFixed(1)} s of ${SECONDS_MAX} s`);
  return failed === 0 ? 0 : 1;
}

void main().then((exitCode) => process.exit(exitCode));
