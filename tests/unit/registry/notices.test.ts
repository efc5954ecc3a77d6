import { describe, expect, test } from "bun:test";
import { describeQuota, Notices, parseWarnings, quotaOf } from "../../../src/registry/notices.ts";

describe("quotaOf()", () => {
  test.each([
    ["100;w=21600", "76;w=21600", { limit: 100, remaining: 76, windowSeconds: 21_600 }],
    [" 100 ; w=21600", "0", { limit: 100, remaining: 0, windowSeconds: 21_600 }],
    ["100", "76", { limit: 100, remaining: 76, windowSeconds: undefined }],
    ["100;w=21600", null, undefined],
    [null, "76", undefined],
    ["many", "few", undefined],
    ["99999999999999", "1", undefined],
  ])("reads %p and %p", (limit, remaining, expected) => {
    expect(quotaOf(head({ "ratelimit-limit": limit, "ratelimit-remaining": remaining }))).toEqual(expected);
  });
});

describe("describeQuota()", () => {
  test.each([
    [21_600, "76 of 100 pulls are left within 6 hours"],
    [3600, "76 of 100 pulls are left within 1 hour"],
    [undefined, "76 of 100 pulls are left"],
  ])("says what is left of a window of %p seconds", (windowSeconds, text) => {
    expect(describeQuota({ limit: 100, remaining: 76, windowSeconds })).toBe(text);
  });
});

describe("parseWarnings()", () => {
  test.each([
    ['299 - "soon gone"', ["soon gone"]],
    ['299 registry.example "say \\"hello\\", friend"', ['say "hello", friend']],
    ['299 - "one", 299 - "two"', ["one", "two"]],
    ['110 - "stale", 299 - "two"', ["two"]],
    ['299 - "without an end', []],
    [null, []],
  ])("finds in %p %p", (header, expected) => {
    expect(parseWarnings(header)).toEqual(expected);
  });
});

describe("Notices", () => {
  test("hands each warning on once, quoted, and stops after ten", () => {
    const heard: string[] = [];
    const notices = new Notices((text) => heard.push(text));

    for (let round = 0; round < 2; round++)
      notices.read(head({ warning: '299 - "a\u001b[31m"' }), "a.example");
    for (let index = 0; index < 20; index++) notices.read(head({ warning: `299 - "${index}"` }), "a.example");

    expect(heard[0]).toBe('"a.example" says "a\\u001b[31m"');
    expect(heard).toHaveLength(10);
  });

  test("keeps the last quota of each registry", () => {
    const notices = new Notices();

    for (const left of ["5", "4"])
      notices.read(head({ "ratelimit-limit": "10", "ratelimit-remaining": left }), "a.example");
    notices.read(head({}), "a.example");

    expect(notices.quota("a.example")?.remaining).toBe(4);
    expect(notices.quota("b.example")).toBeUndefined();
  });
});

function head(headers: Readonly<Record<string, string | null>>): { header(name: string): string | null } {
  return { header: (name) => headers[name] ?? null };
}
