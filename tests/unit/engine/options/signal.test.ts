import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { parseSignal } from "../../../../src/engine/options/signal.ts";

describe("parseSignal()", () => {
  test.each(Object.entries(constants.signals))("knows %s", (name, number) => {
    expect(parseSignal(name)).toBe(number);
    expect(parseSignal(name.slice(3).toLowerCase())).toBe(number);
  });

  test.each([
    ["9", 9],
    ["0", 0],
    ["64", 64],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["rtmax-1", 63],
    ["RTMAX", 64],
  ])("reads %p as %p", (text, number) => {
    expect(parseSignal(text)).toBe(number);
  });

  test.each([
    "",
    "65",
    "-9",
    "9x",
    "NOSIG",
    "SIG",
    "RTMIN-1",
    "RTMAX+1",
    "RTMIN+31",
    " 9",
    "SIGSIGKILL",
    "123",
  ])("refuses %p", (text) => {
    expect(() => parseSignal(text)).toThrow(SyntaxError);
  });
});
