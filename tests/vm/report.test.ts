import { describe, expect, test } from "bun:test";
import { consoleOfTest, isBroken, readReports } from "./report.ts";

const REPORTS = `ready 2.25
suite 1 tests/kernel/a.test.ts
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test">
  <testcase name="limits" classname="run" file="tests/kernel/a.test.ts" />
  <testcase name="counts" classname="run" file="tests/kernel/a.test.ts"><failure type="AssertionError" /></testcase>
  <testcase name="skipped: needs root: kills" classname="run" file="tests/kernel/a.test.ts"><skipped /></testcase>
</testsuites>
suite 137 tests/kernel/b

done
`;

const CONSOLE = `suite tests/kernel/a.test.ts
(pass) run > limits [3.00ms]
error: expected 1
[   46.1] Memory cgroup out of memory
(fail) run > counts [9.00ms]
(skip) run > kills
`;

describe("readReports()", () => {
  test("finds every test of every suite with its result", () => {
    const { bootSeconds, suites, isComplete } = readReports({ reports: REPORTS });

    expect({ bootSeconds, isComplete }).toEqual({ bootSeconds: 2.25, isComplete: true });
    expect(suites.map(({ path, exitCode }) => [path, exitCode])).toEqual([
      ["tests/kernel/a.test.ts", 1],
      ["tests/kernel/b", 137],
    ]);
    expect(suites[0]?.cases).toEqual([
      { name: "tests/kernel/a.test.ts: run > limits", result: "passed" },
      { name: "tests/kernel/a.test.ts: run > counts", result: "failed" },
      { name: "tests/kernel/a.test.ts: run > skipped: needs root: kills", result: "skipped" },
    ]);
  });

  test("knows a machine that stopped on its way", () => {
    expect(readReports({ reports: "" })).toEqual({ bootSeconds: undefined, suites: [], isComplete: false });
    expect(readReports({ reports: REPORTS.replace("done\n", "") }).isComplete).toBe(false);
  });
});

describe("isBroken()", () => {
  const passed = { name: "a", result: "passed" } as const;
  const failed = { name: "b", result: "failed" } as const;

  test.each([
    ["that ran no test", 0, [], true],
    ["that ended badly after tests that passed", 139, [passed], true],
    ["with a test that failed", 1, [passed, failed], false],
    ["that ended well", 0, [passed], false],
  ])("judges a suite %s", (_, exitCode, cases, expected) => {
    expect(isBroken({ path: "a", exitCode, cases })).toBe(expected);
  });
});

describe("consoleOfTest()", () => {
  test("tells what was said between the test before and the failed one", () => {
    const failed = { name: "tests/kernel/a.test.ts: run > counts", result: "failed" } as const;

    expect(consoleOfTest(CONSOLE, failed)).toBe(
      "error: expected 1\n[   46.1] Memory cgroup out of memory\n(fail) run > counts [9.00ms]",
    );
  });
});
