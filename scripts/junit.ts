/**
 * Reads the report that `bun test --reporter=junit` writes: which tests there were, and what became of each. Only what that
 * reporter writes is understood; it is no XML parser.
 */

/** One test that was skipped, with its full name. */
export interface TestReport {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

const TEST_CASE = /<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g;

/** Sorts the tests of a report by their result. */
export function readJunit(xml: string): TestReport {
  const failed: string[] = [];
  const skipped: string[] = [];
  let passed = 0;
  for (const [, attributes = "", , body = ""] of xml.matchAll(TEST_CASE)) {
    const name = fullName(attributes);
    if (/<(failure|error)\b/.test(body)) failed.push(name);
    else if (/<skipped\b/.test(body)) skipped.push(name);
    else passed += 1;
  }
  return { passed, failed, skipped };
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
