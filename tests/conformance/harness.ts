/**
 * One test for every runtime: bunker, and those that are installed in the versions that known_failures.ts was written for.
 * `RUNTIME=crun` picks one. A title that is expected to fail with a runtime must really fail there.
 *
 *     conformanceTest("numbers the process 1", [], async (runtime) => {
 *       expect(await runtime.output({ sh: "echo $$" })).toBe("1\n");
 *     });
 */
import { test } from "bun:test";
import { RUNTIME_NAMES, Runtime, type RuntimeName } from "../helpers/oci_runtime.ts";
import { type Need, titleOf, whyMissing } from "../helpers/requires.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { knownFailure, TESTED_VERSIONS, whyNotRun } from "./known_failures.ts";

/** What all of these tests need. */
const NEEDS: readonly Need[] = ["root", "program busybox"];

const TIMEOUT_MS = 90_000;

/** The runtimes, or the one that the environment names. */
const wanted = process.env["RUNTIME"];
const names = RUNTIME_NAMES.filter((name) => wanted === undefined || wanted === name);
if (names.length === 0) throw new Error(`RUNTIME is none of ${RUNTIME_NAMES.join(", ")}: "${wanted}"`);

/** Why a runtime is not tested here. */
const missing = new Map(names.map((name) => [name, whyNot(name)]));

type Body = (runtime: Runtime, sandbox: Sandbox) => Promise<void>;

/** A test with a runtime whose containers are gone afterwards. */
export function conformanceTest(title: string, needs: readonly Need[], body: Body): void {
  for (const name of names) {
    const known = knownFailure(name, title);
    const reason = whyMissing([...NEEDS, ...needs]) ?? missing.get(name) ?? whyNotRun(name, title);
    const full = titleOf(
      `${name}: ${title}${known === undefined ? "" : ` (known to fail: ${known})`}`,
      reason,
    );
    const run = known === undefined ? runIn : failIn;
    test.skipIf(reason !== undefined)(full, () => run(name, body), TIMEOUT_MS);
  }
}

async function runIn(name: RuntimeName, body: Body): Promise<void> {
  const sandbox = new Sandbox();
  const runtime = new Runtime(name, sandbox);
  try {
    await body(runtime, sandbox);
  } catch (error) {
    await runtime[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]().catch(({ message }: Error) => console.error(message));
    throw error;
  }
  await runtime[Symbol.asyncDispose]();
  await sandbox[Symbol.asyncDispose]();
}

/** A test that is known to fail must fail; what it leaves is not looked at. */
async function failIn(name: RuntimeName, body: Body): Promise<void> {
  const sandbox = new Sandbox();
  const runtime = new Runtime(name, sandbox);
  const failed = await body(runtime, sandbox).then(
    () => false,
    () => true,
  );
  await runtime[Symbol.asyncDispose]();
  sandbox.discard();
  if (!failed) throw new Error("It passes: take it out of known_failures.ts");
}

function whyNot(name: RuntimeName): string | undefined {
  if (name === "bunker") return whyMissing(["the executable"]);
  const reason = whyMissing([`program ${name}`]);
  if (reason !== undefined) return reason;
  const { stdout } = Bun.spawnSync([name, "--version"], { stderr: "ignore" });
  const version = stdout.toString().split("\n")[0] ?? "";
  const tested = TESTED_VERSIONS[name];
  return version.includes(tested) ? undefined : `needs ${name} ${tested}, here is "${version}"`;
}
