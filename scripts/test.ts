/**
 * Everything: installs what the tests need when it may, builds the executable, then runs the checks of the source and every
 * folder of tests in a process of its own, so that a crash hides no other result. Its last line is the sum.
 *
 *     Usage: npm test [-- FOLDER…]        e.g. npm test -- unit stages
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Glob } from "bun";
import { installTestPackages } from "./install_test_packages.ts";
import { judgeSuite, readJunit, type TestReport } from "./junit.ts";

const REPOSITORY = join(import.meta.dir, "..");

/** Milliseconds for one folder of tests, and for everything together. */
const SUITE_MS_MAX = 10 * 60_000;
const TOTAL_MS_MAX = 35 * 60_000;

/** Cheap and telling first, virtual machines at the very end; folders that are not named here come before those. */
const ORDER = ["tidy", "unit", "helpers", "registry", "cli", "kernel", "interop", "conformance", "security"];
const LAST = ["vm"];

interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether the command writes a report to `report`; one that does not counts as one test. */
  readonly report?: string;
}

async function main(names: readonly string[]): Promise<number> {
  const missing = installTestPackages();
  if (missing.length > 0) console.log(`not installed, so some tests are skipped: ${missing.join(" ")}`);
  const directory = mkdtempSync(`${tmpdir()}/bunker-test-`);
  try {
    return summarize(await runSuites(suitesOf(directory, names)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function suitesOf(directory: string, names: readonly string[]): readonly Suite[] {
  const bin = `${REPOSITORY}/node_modules/.bin`;
  const checks: readonly Suite[] = [
    { name: "build", command: [process.execPath, "scripts/build.ts"] },
    { name: "format and lint", command: [`${bin}/biome`, "check", "--error-on-warnings", "."] },
    { name: "types", command: [`${bin}/tsc`, "--noEmit", "-p", "."] },
  ];
  if (names.length > 0) return [...checks.slice(0, 1), ...testSuites(directory, names)];
  return [...checks, ...testSuites(directory, names)];
}

/** One for each folder of `tests` and each test file beside them. */
function testSuites(directory: string, wanted: readonly string[]): readonly Suite[] {
  const files = [...new Glob("**/*.test.ts").scanSync(`${REPOSITORY}/tests`)];
  const names = [...new Set(files.map((file) => file.split("/")[0] as string))];
  const place = (name: string): number =>
    LAST.includes(name) ? ORDER.length + 2 : ORDER.indexOf(name) + 1 || ORDER.length + 1;
  return names
    .map((name) => ({ path: `./tests/${name}`, name: basename(name, ".test.ts") }))
    .filter(({ name }) => wanted.length === 0 || wanted.includes(name))
    .sort((a, b) => place(a.name) - place(b.name) || a.name.localeCompare(b.name))
    .map(({ path, name }) => {
      const report = `${directory}/${name}.xml`;
      const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
      const filter = path.endsWith(".ts") ? path : `${path}/`;
      return { name, report, command: [process.execPath, "test", ...reporter, filter] };
    });
}

async function runSuites(suites: readonly Suite[]): Promise<readonly TestReport[]> {
  const end = performance.now() + TOTAL_MS_MAX;
  const reports: TestReport[] = [];
  for (const suite of suites) {
    const timeout = Math.min(SUITE_MS_MAX, Math.max(1, end - performance.now()));
    // One after another: tests of the kernel count what the machine has before and after.
    reports.push(await runSuite(suite, timeout));
  }
  return reports;
}

async function runSuite({ name, command, report }: Suite, timeoutMs: number): Promise<TestReport> {
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const { exitCode, timedOut } = await runGroup(command, timeoutMs);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const result = judgeSuite({ name, exitCode, timedOut }, readReport(report));
  const { passed, failed, skipped } = result;
  const counts = `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;
  console.log(`=== ${name}: ${counts} (${seconds} s)`);
  return result;
}

/** Runs a command in a group of its own: what hangs is killed with everything that it has started. */
async function runGroup(
  command: readonly string[],
  timeoutMs: number,
): Promise<{ readonly exitCode: number; readonly timedOut: boolean }> {
  const child = Bun.spawn([...command], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      CI: "true",
      FORCE_COLOR: "0",
      PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    detached: true,
  });
  const kill = (): void => {
    process.kill(-child.pid, "SIGKILL");
  };
  const interrupt = (): void => {
    kill();
    process.exit(1);
  };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const exitCode = await child.exited;
  clearTimeout(timer);
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  return { exitCode, timedOut };
}

/** Undefined for a command that writes none; one that was to be written and is not there holds no test. */
function readReport(path: string | undefined): TestReport | undefined {
  if (path === undefined) return undefined;
  try {
    return readJunit(readFileSync(path, "utf8"));
  } catch {
    return { passed: 0, failed: [], skipped: [] };
  }
}

function summarize(reports: readonly TestReport[]): number {
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  const failed = reports.flatMap((report) => report.failed);
  const skipped = reports.flatMap((report) => report.skipped);
  console.log("");
  for (const name of skipped) console.log(`skipped  ${name}`);
  for (const name of failed) console.log(`FAILED   ${name}`);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return failed.length === 0 && passed > 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
