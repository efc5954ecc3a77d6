import { describe, expect, test } from "bun:test";
import { judgeSuite, readJunit } from "../../../scripts/junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" failures="1" skipped="2">
  <testsuite name="a.test.ts" file="a.test.ts" tests="4">
    <testcase name="a &amp; &quot;b&quot;" classname="inner &gt; outer()" time="0.1" file="a.test.ts" line="2" />
    <testcase name="bad" classname="outer()" time="0" file="a.test.ts" line="2" assertions="1">
      <failure type="AssertionError" message="expected &lt;skipped&gt;&#10;">AssertionError: &lt;skipped /&gt;</failure>
    </testcase>
    <testcase name="skipped: needs root: c" classname="outer()" time="0" file="a.test.ts" line="2">
      <skipped />
    </testcase>
    <testcase name="later&#10;on" classname="inner &gt; outer()" time="0" file="a.test.ts" line="2">
      <skipped message="later" />
    </testcase>
  </testsuite>
</testsuites>`;

describe("readJunit()", () => {
  test("counts what passed and names what did not", () => {
    const report = readJunit(REPORT);

    expect(report).toEqual({
      passed: 1,
      failed: ["a.test.ts: outer() > bad"],
      skipped: ["a.test.ts: outer() > skipped: needs root: c", "a.test.ts: outer() > inner > later\non"],
    });
  });

  test("finds nothing in a report of no tests", () => {
    expect(readJunit('<testsuites name="bun test" tests="0" />')).toEqual({
      passed: 0,
      failed: [],
      skipped: [],
    });
  });
});

describe("judgeSuite()", () => {
  const ended = { name: "unit", exitCode: 0, timedOut: false };
  const passed = { passed: 3, failed: [], skipped: ["b"] };

  test("believes the report of a suite that ends well", () => {
    expect(judgeSuite(ended, passed)).toEqual(passed);
  });

  test("believes the failures of a suite", () => {
    const report = { ...passed, failed: ["a"] };

    expect(judgeSuite({ ...ended, exitCode: 1 }, report)).toEqual(report);
  });

  test.each([
    ["crashes after tests that passed", { exitCode: 139 }, passed, "unit: exit code 139"],
    ["does not end in time", { exitCode: 137, timedOut: true }, passed, "unit: did not end in time"],
    [
      "hangs in a test",
      { exitCode: 137, timedOut: true, lastTest: "a.test.ts: one" },
      passed,
      "unit: did not end in time; the last test that ended: a.test.ts: one",
    ],
    ["runs no test", {}, { passed: 0, failed: [], skipped: [] }, "unit: ran no test"],
    ["is a command that fails", { exitCode: 2 }, undefined, "unit: exit code 2"],
  ])("counts one more failure when a suite %s", (_, ending, report, failure) => {
    const { failed } = judgeSuite({ ...ended, ...ending }, report);

    expect(failed).toEqual([failure]);
  });

  test("counts a command without a report as one test", () => {
    expect(judgeSuite(ended, undefined)).toEqual({ passed: 1, failed: [], skipped: [] });
  });
});
