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
    ["99999999999999999999", undefined],
    [null, undefined],
  ])("%p is %p ms", (header, expected) => {
    const isPastNegative = header === "-5";

    const waitMs = parseRetryAfter(header, now);

    expect(isPastNegative ? (waitMs ?? 0) : waitMs).toBe(isPastNegative ? 0 : expected);
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

  test("obeys the server's wait", () => {
    expect(new RetryBudget(policy).take(3000)).toBe(3000);
  });

  test("gives up at once when the server's wait exceeds the budget", () => {
    expect(new RetryBudget(policy).take(10_001)).toBeUndefined();
  });

  test("counts the waits together", () => {
    const budget = new RetryBudget(policy);

    expect([budget.take(6000), budget.take(6000)]).toEqual([6000, undefined]);
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
