import { describe, expect, test } from "bun:test";
import type { Exchange } from "../../../src/registry/exchange.ts";
import { parsePart, startOf } from "../../../src/registry/part.ts";

const SIZE = 1000;

describe("parsePart()", () => {
  test.each([
    [200, {}, 0, "usable"],
    [200, { "content-length": "1000" }, 0, "usable"],
    [200, { "content-length": "1000" }, 400, "usable"],
    [200, { "content-length": "999" }, 0, { size: 999 }],
    [200, { "content-length": "999", "content-encoding": "gzip" }, 0, "usable"],
    [200, { "content-length": "-1" }, 0, "usable"],
    [206, { "content-range": "bytes 400-999/1000", "content-length": "600" }, 400, "usable"],
    [206, { "content-range": "bytes 300-999/1000", "content-length": "700" }, 400, "usable"],
    [206, { "content-range": "bytes 400-499/1000", "content-length": "100" }, 400, "usable"],
    [206, { "content-range": "bytes 400-999/*" }, 400, "usable"],
    [206, { "content-range": "bytes 500-999/1000" }, 400, "useless"],
    [206, { "content-range": "bytes 400-999/2000" }, 400, { size: 2000 }],
    [206, { "content-range": "bytes 400-1999/*", "content-length": "1600" }, 400, { size: 2000 }],
    [206, { "content-range": "pages 4-9/10" }, 400, "useless"],
    [206, { "content-range": "bytes */1000" }, 400, "useless"],
    [206, { "content-range": "bytes 99999999999999999999-1/1000" }, 400, "useless"],
    [206, {}, 400, "useless"],
    [416, {}, 400, "useless"],
    [416, {}, 0, "failed"],
    [404, {}, 400, "failed"],
    [204, {}, 0, "failed"],
  ] as const)("takes %i with %p for byte %i as %p", (status, headers, offset, expected) => {
    expect<unknown>(parsePart(reply(status, headers), { offset, size: SIZE })).toEqual(expected);
  });
});

describe("startOf()", () => {
  test.each([
    [200, {}, 0],
    [206, { "content-range": "bytes 300-999/1000" }, 300],
    [200, { "content-range": "bytes 300-999/1000" }, 0],
  ] as const)("says that %i with %p begins at %i", (status, headers, start) => {
    expect(startOf(reply(status, headers))).toBe(start);
  });
});

function reply(status: number, headers: Readonly<Record<string, string>>): Exchange {
  return { status, header: (name: string) => headers[name] ?? null } as unknown as Exchange;
}
