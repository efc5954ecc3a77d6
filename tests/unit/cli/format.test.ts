/** Sizes, ages and tables as docker prints them. */
import { describe, expect, test } from "bun:test";
import { formatAge, formatSize, formatTable } from "../../../src/cli/format.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("formatSize()", () => {
  test.each([
    [0, "0B"],
    [999, "999B"],
    [1000, "1kB"],
    [1023, "1.02kB"],
    [7_834_123, "7.83MB"],
    [117_000_000, "117MB"],
    [999_949_999, "1GB"],
    [1_980_000_000, "1.98GB"],
  ])("prints %d bytes as %s", (bytes, expected) => {
    expect(formatSize(bytes)).toBe(expected);
  });
});

describe("formatAge()", () => {
  test.each([
    [0, "Less than a second ago"],
    [1, "1 second ago"],
    [59, "59 seconds ago"],
    [MINUTE, "About a minute ago"],
    [59 * MINUTE, "59 minutes ago"],
    [HOUR, "About an hour ago"],
    [47 * HOUR, "47 hours ago"],
    [2 * DAY, "2 days ago"],
    [13 * DAY, "13 days ago"],
    [14 * DAY, "2 weeks ago"],
    [60 * DAY, "2 months ago"],
    [729 * DAY, "24 months ago"],
    [730 * DAY, "2 years ago"],
    [-5, "Less than a second ago"],
  ])("prints %d seconds as %s", (seconds, expected) => {
    const now = new Date("2026-01-01T00:00:00Z");

    expect(formatAge(new Date(now.getTime() - seconds * 1000), now)).toBe(expected);
  });
});

describe("formatTable()", () => {
  test("pads columns to ten characters, or three more than the widest cell", () => {
    const table = formatTable([
      ["REPOSITORY", "TAG", "SIZE"],
      ["a", "1", "2"],
    ]);

    expect(table).toBe(`REPOSITORY   TAG       SIZE\n${"a".padEnd(13)}${"1".padEnd(10)}2\n`);
  });
});
