/**
 * Reads the report that `bun test --reporter=junit` writes: which tests there were, and what became of each. Only what that
 * reporter writes is understood; it is no XML parser.
 */

/** How many tests passed, and the full names of the others. */
export interface TestReport {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

const TEST_CASE = /<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g;

/** One test: its full name, and what became of it. */
export interface TestCase {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
}

/** Sorts the tests of a report by their result. */
export function readJunit(xml: string): TestReport {
  const cases = readTestCases(xml);
  const named = (wanted: TestCase["result"]): readonly string[] =>
    cases.filter(({ result }) => result === wanted).map(({ name }) => name);
  return { passed: named("passed").length, failed: named("failed"), skipped: named("skipped") };
}

/** The tests of a report in their order. */
export function readTestCases(xml: string): readonly TestCase[] {
  return [...xml.matchAll(TEST_CASE)].map(([, attributes = "", , body = ""]) => {
    const result = /<(failure|error)\b/.test(body)
      ? "failed"
      : /<skipped\b/.test(body)
        ? "skipped"
        : "passed";
    return { name: fullName(attributes), result };
  });
}

/** How a command that runs tests has ended. */
export interface SuiteEnding {
  readonly name: string;
  readonly exitCode: number;
  readonly timedOut: boolean;
  /** The test that was the last to end. */
  readonly lastTest?: string | undefined;
}

/** A suite that ends badly, or runs no test, has failed, whatever its report says; one without reports is one test. */
export function judgeSuite(ending: SuiteEnding, report: TestReport | undefined): TestReport {
  const { name, exitCode, timedOut, lastTest } = ending;
  if (report === undefined && exitCode === 0) return { passed: 1, failed: [], skipped: [] };
  const { passed, failed, skipped } = report ?? { passed: 0, failed: [], skipped: [] };
  const isEmpty = report !== undefined && passed + failed.length + skipped.length === 0;
  if (!timedOut && !isEmpty && (exitCode === 0 || failed.length > 0)) return { passed, failed, skipped };
  const reason = timedOut ? "did not end in time" : isEmpty ? "ran no test" : `exit code ${exitCode}`;
  const place = lastTest === undefined ? "" : `; the last test that ended: ${lastTest}`;
  return { passed, failed: [...failed, `${name}: ${reason}${place}`], skipped };
}

/** `file: outer > inner > test`; the reporter writes the inner group first. */
function fullName(attributes: string): string {
  const groups = attribute(attributes, "classname").split(" > ").reverse();
  return `${attribute(attributes, "file")}: ${[...groups, attribute(attributes, "name")].join(" > ")}`;
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(#\d+|#x[0-9a-f]+|\w+);/gi, (whole, entity: string) => decode(entity) ?? whole);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decode(entity: string): string | undefined {
  if (entity.startsWith("#x")) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
  return entity.startsWith("#") ? String.fromCodePoint(Number(entity.slice(1))) : ENTITIES[entity];
}
