import { describe, expect, test } from "bun:test";
import { delay, parseRetryAfter, RetryBudget } from "../../../src/registry/retry.ts";

describe("parseRetryAfter()", () => {
  const now = new Date("2026-01-01T00:00:00Z");

  test.each([
    ["120", 120_000],
    [" 0 ", 0],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined],
    ["2026", 2_026_000],
    ["2026-01-01", undefined],
    ["Thursday, 01-Jan-26 00:00:30 GMT", 30_000],
    ["Thu Jan  1 00:00:30 2026 GMT", 30_000],
    ["99999999999999999999", undefined],
    [null, undefined],
  ])("%p is %p ms", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});

describe("RetryBudget", () => {
  const policy = { attemptCountMax: 4, firstDelayMs: 1000, totalDelayMsMax: 10_000 };

  test("doubles the wait, give or take a tenth, until the attempts are spent", () => {
    const budget = new RetryBudget(policy);

    const waits = [budget.take(), budget.take(), budget.take(), budget.take()];

    expect(waits.map((wait) => wait !== undefined && Math.round(wait / 1000))).toEqual([1, 2, 4, false]);
    expect(Math.abs((waits[0] ?? 0) - 1000)).toBeLessThanOrEqual(100);
  });

  test("waits as long as the server asks for, and up to a second more", () => {
    const waits = Array.from({ length: 100 }, () => new RetryBudget(policy).take(3000) ?? 0);

    expect(Math.min(...waits)).toBeGreaterThanOrEqual(3000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(4000);
    expect(new Set(waits).size).toBeGreaterThan(1);
  });

  test("gives up at once when the server's wait exceeds the budget", () => {
    expect(new RetryBudget(policy).take(10_001)).toBeUndefined();
  });

  test("counts the waits together", () => {
    const budget = new RetryBudget(policy);

    expect([Math.floor((budget.take(6000) ?? 0) / 1000), budget.take(6000)]).toEqual([6, undefined]);
  });
});

describe("delay()", () => {
  test("ends with the signal's reason as soon as it is aborted", async () => {
    const controller = new AbortController();
    const waiting = delay(60_000, controller.signal);

    controller.abort(new Error("enough"));

    await expect(waiting).rejects.toThrow("enough");
  });
});
