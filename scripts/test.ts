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
import { imageSuites } from "../tests/helpers/layer_preference.ts";
import { layerForms } from "../tests/helpers/layer_sandbox.ts";
import { FollowedLog, findLastTest } from "./followed_log.ts";
import { installTestPackages } from "./install_test_packages.ts";
import { judgeSuite, readJunit, type SuiteEnding, type TestReport } from "./junit.ts";
import { TEST_MS_MAX } from "./test_limits.ts";

const REPOSITORY = join(import.meta.dir, "..");

/** Milliseconds for everything, from the start of this program. */
const TOTAL_MS_MAX = 37 * 60_000;

/**
 * How long a folder of tests may say nothing: longer than any test may take. What is slow goes on talking, however long all of
 * it takes, what hangs does not. Virtual machines are awaited before the first test.
 */
const SILENT_MS_MAX = 6 * 60_000;
const SILENT_MS_MAX_OF: Readonly<Record<string, number>> = { vm: 12 * 60_000 };
const LOOK_MS = 1000;

/** Cheap and telling first, virtual machines at the very end; folders that are not named here come before those. */
const ORDER = ["tidy", "unit", "helpers", "registry", "cli", "kernel", "interop", "conformance", "security"];
/** Beside the folders: tests of several, on layers that are EROFS images. */
const IMAGES = "erofs";
const LAST = ["vm"];

interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether the command writes a report to `report`; one that does not counts as one test. */
  readonly report?: string;
  /** Where its stderr goes. */
  readonly log: string;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Why it is skipped. */
  readonly missing?: string | undefined;
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
  const log = `${directory}/log`;
  const checks: readonly Suite[] = [
    { name: "build", log, command: [process.execPath, "scripts/build.ts"] },
    { name: "format and lint", log, command: [`${bin}/biome`, "check", "--error-on-warnings", "."] },
    { name: "types", log, command: [`${bin}/tsc`, "--noEmit", "-p", "."] },
  ];
  return [...(names.length > 0 ? checks.slice(0, 1) : checks), ...testSuites(directory, names)];
}

/** One for each folder of `tests` and each test file beside them. */
function testSuites(directory: string, wanted: readonly string[]): readonly Suite[] {
  const files = [...new Glob("**/*.test.ts").scanSync(`${REPOSITORY}/tests`)];
  const names = [...new Set(files.map((file) => file.split("/")[0] as string))];
  const place = (name: string): number =>
    LAST.includes(name) ? ORDER.length + 2 : ORDER.indexOf(name) + 1 || ORDER.length + 1;
  const folders = names.map((name): Suite => {
    const path = `./tests/${name}`;
    return testSuite(directory, basename(name, ".test.ts"), [path.endsWith(".ts") ? path : `${path}/`]);
  });
  const images: Suite = {
    ...testSuite(directory, IMAGES, imageSuites),
    env: { BUNKER_TEST_LAYERS: "erofs" },
    missing: layerForms.find(([form]) => form === "erofs")?.[1],
  };
  return [...folders, images]
    .filter(({ name }) => wanted.length === 0 || wanted.includes(name))
    .sort((a, b) => place(a.name) - place(b.name) || a.name.localeCompare(b.name));
}

function testSuite(directory: string, name: string, paths: readonly string[]): Suite {
  const report = `${directory}/${name}.xml`;
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
  const command = [process.execPath, "test", `--timeout=${TEST_MS_MAX}`, ...reporter, ...paths];
  return { name, report, log: `${directory}/${name}.log`, command };
}

async function runSuites(suites: readonly Suite[]): Promise<readonly TestReport[]> {
  const reports: TestReport[] = [];
  // One after another: tests of the kernel count what the machine has before and after.
  for (const suite of suites) reports.push(await runSuite(suite));
  return reports;
}

async function runSuite(suite: Suite): Promise<TestReport> {
  const { name, report, missing } = suite;
  console.log(`\n=== ${name}`);
  if (missing !== undefined) return { passed: 0, failed: [], skipped: [`${name}: ${missing}`] };
  const started = performance.now();
  const ending = await runGroup(suite);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const result = judgeSuite({ name, ...ending }, readReport(report));
  const { passed, failed, skipped } = result;
  const counts = `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;
  console.log(`=== ${name}: ${counts} (${seconds} s)`);
  return result;
}

/** Runs a command in a group of its own: what hangs is killed with everything that it has started. */
async function runGroup({ name, command, log, env = {} }: Suite): Promise<Omit<SuiteEnding, "name">> {
  const followed = new FollowedLog(log, (text) => void process.stderr.write(text));
  const child = Bun.spawn([...command], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ...env,
      CI: "true",
      FORCE_COLOR: "0",
      PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    },
    stdin: "ignore",
    stdout: "inherit",
    stderr: followed.fd,
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
  const timer = setInterval(() => {
    const isSilent = followed.silentMs > (SILENT_MS_MAX_OF[name] ?? SILENT_MS_MAX);
    if (timedOut || !(isSilent || performance.now() > TOTAL_MS_MAX)) return;
    timedOut = true;
    kill();
  }, LOOK_MS);
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const exitCode = await child.exited;
  clearInterval(timer);
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  return { exitCode, timedOut, lastTest: findLastTest(followed.end()) };
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
