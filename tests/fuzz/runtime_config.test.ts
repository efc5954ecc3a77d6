/**
 * config.json by grammar: a valid configuration with some changes gives a configuration or faults, and nothing else ever.
 * The seed is in the title of each test; FUZZ_SEED=… chooses another. What once failed is kept in KEPT.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { starterConfig } from "../../src/engine/bundle/starter_config.ts";
import { ConfigError, FAULTS_MAX, formatFault } from "../../src/oci/bundle/fault.ts";
import { scanJson } from "../../src/oci/bundle/json_scan.ts";
import { inspectConfig, parseConfig, parseProcess, parseResources } from "../../src/oci/bundle/parse.ts";
import { fullConfig } from "../helpers/full_config.ts";
import { damagedBytes, mutatedJson } from "../helpers/json_mutation.ts";
import { seededRandom } from "../helpers/random_policy.ts";
import { validConfig } from "../unit/oci/bundle/valid_config.ts";

/** The same each time, so that a run tells of the change that it runs for; FUZZ_SEED=random looks further. */
const SEED = seedOf(process.env["FUZZ_SEED"] ?? "20261126");
/** Documents of each kind; all together take two seconds. */
const COUNT = 3000;
const CHANGES_MAX = 5;
/** Longest line that a person should get to read. */
const LINE_MAX = 1000;

const STARTS = [
  validConfig(),
  fullConfig(),
  starterConfig(undefined),
  starterConfig({ uid: 1000, gid: 1000 }),
];

/** Documents that were answered by something else than a configuration or faults. */
const KEPT: readonly string[] = [
  // A bigint was shown as JSON, which has none.
  '{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"oomScoreAdj":18446744073709551615}}',
  // The last key of the way to a fault is a prototype's.
  '{"ociVersion":"1.0.0","root":{"path":"r"},"annotations":{"__proto__":1,"constructor":2}}',
  // What a terminal would obey stood in the message as it was.
  '{"ociVersion":"1.0.0" \u007f\u009b31m',
  // A capability that Linux does not have stood in the message as it was.
  '{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"cwd":"/","user":{"uid":0,"gid":0},"args":["a"],' +
    '"capabilities":{"effective":["CAP\\u0007_NET"]}}}',
  // Nested deeper than a reviver can follow.
  `{"x":${"[".repeat(100_000)}1234567890123456${"]".repeat(100_000)}}`,
];

describe(`config.json, seed ${SEED}`, () => {
  test("begins with configurations that have no fault", () => {
    for (const start of STARTS) expect(inspectConfig(JSON.stringify(start)).faults).toEqual([]);
  });

  test("gives a configuration or faults for each change of a valid one", () => {
    const random = seededRandom(SEED);
    let valid = 0;

    for (let index = 0; index < COUNT; index++) {
      const text = mutatedJson(STARTS[index % STARTS.length], CHANGES_MAX, random);
      if (isAnswered(text)) valid++;
    }

    // Neither answer for all of them: the changes reach the rules, and do not break everything.
    expect(valid).toBeGreaterThan(COUNT / 50);
    expect(valid).toBeLessThan(COUNT / 2);
  });

  test("gives a configuration or faults for damaged bytes", () => {
    const random = seededRandom(SEED);
    const starts = STARTS.map((start) => new TextEncoder().encode(JSON.stringify(start)));

    for (let index = 0; index < COUNT; index++) {
      isAnswered(damagedBytes(starts[index % starts.length] as Uint8Array, random));
    }
  });

  test("gives one fault for each beginning of a document", () => {
    const text = JSON.stringify(validConfig());

    for (let length = 0; length < text.length; length++) {
      const { faults } = inspectConfig(text.slice(0, length));

      expect(faults.map(({ path }) => path)).toEqual([""]);
    }
  });

  test("answers parts of a configuration in the same way", () => {
    const random = seededRandom(SEED);
    const { process, linux } = fullConfig() as { process: object; linux: { resources: object } };

    for (let index = 0; index < COUNT / 4; index++) {
      isConfigError(() => parseProcess(mutatedJson(process, CHANGES_MAX, random)));
      isConfigError(() => parseResources(mutatedJson(linux.resources, CHANGES_MAX, random)));
    }
  });

  test.each(KEPT.map((text) => [text.slice(0, 60), text]))("answers %s", (_start, text) => {
    isAnswered(text);
  });

  test("starts no process", () => {
    const tasks = "/proc/self/task";
    const children = readdirSync(tasks).flatMap((task) =>
      readFileSync(`${tasks}/${task}/children`, "latin1").split(" ").filter(Boolean),
    );

    expect(children).toEqual([]);
  });
});

/** Checks what holds for every document; says whether it is a configuration. */
function isAnswered(source: string | Uint8Array): boolean {
  const { faults } = inspectConfig(source);
  const text = typeof source === "string" ? source : new TextDecoder().decode(source);
  const { duplicates } = scanJson(text);

  expect(faults.length).toBeLessThanOrEqual(FAULTS_MAX);
  expect(duplicates.length).toBeLessThanOrEqual(FAULTS_MAX);
  for (const fault of faults) {
    const line = formatFault(fault);
    expect(line.length, line).toBeLessThanOrEqual(LINE_MAX);
    // One line, and nothing that a terminal would obey.
    expect(line).not.toMatch(/\p{Cc}/u);
  }
  expect(isConfigError(() => parseConfig(source))).toBe(faults.length > 0);
  return faults.length === 0;
}

/** Whether `parse` throws a {@link ConfigError}; anything else that it throws fails the test. */
function isConfigError(parse: () => unknown): boolean {
  try {
    parse();
    return false;
  } catch (error) {
    if (error instanceof ConfigError) return true;
    throw error;
  }
}

function seedOf(text: string): number {
  return text === "random" ? Date.now() % 2 ** 31 : Number(text);
}
