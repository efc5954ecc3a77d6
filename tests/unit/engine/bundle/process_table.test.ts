import { describe, expect, test } from "bun:test";
import { filterTable, processTable } from "../../../../src/engine/bundle/process_table.ts";
import { testIf } from "../../../helpers/requires.ts";

describe("filterTable()", () => {
  test("keeps the header and the lines of the processes, whichever column the id is in", () => {
    const table = "UID        PID  PPID CMD\nroot         1     0 init 12\nroot        12     1 sh\n";

    expect(filterTable(table, [12])).toBe("UID        PID  PPID CMD\nroot        12     1 sh\n");
    expect(filterTable("  PID CMD\n   12 sh\n    2 x\n", [2])).toBe("  PID CMD\n    2 x\n");
  });

  test("refuses a table without that column", () => {
    expect(() => filterTable("CMD\nsh\n", [1])).toThrow("cannot find the column PID in the output of ps");
  });
});

describe("processTable()", () => {
  testIf(["program ps"], "shows this process", () => {
    const table = processTable([process.pid], []);

    expect(table.split("\n").length).toBe(3);
    expect(table).toMatch(new RegExp(`\\b${process.pid}\\b`));
  });

  testIf(["program ps"], "hands options on", () => {
    expect(processTable([process.pid], ["-o", "pid,ppid"]).trim().split(/\s+/)).toEqual([
      "PID",
      "PPID",
      String(process.pid),
      String(process.ppid),
    ]);
  });

  testIf(["program ps"], "says what ps has against an option", () => {
    expect(() => processTable([1], ["--nope"])).toThrow(/^ps has failed: error/);
  });
});
