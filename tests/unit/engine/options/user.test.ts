/** Users, strictly: CVE-2026-30892 (crun), CVE-2024-40635 and CVE-2026-46680 (containerd). */
import { describe, expect, test } from "bun:test";
import { type Identity, parseUser, parseUserOption } from "../../../../src/engine/options/user.ts";

/** Text, and the user and group that it means: numbers are ids, texts are names. */
const CASES: readonly (readonly [string, number | string, number | string | undefined])[] = [
  ["0", 0, undefined],
  ["1", 1, undefined],
  ["01", 1, undefined],
  ["1:2", 1, 2],
  ["2147483648", 2_147_483_648, undefined],
  ["4294967294:4294967294", 4_294_967_294, 4_294_967_294],
  ["name", "name", undefined],
  ["name:group", "name", "group"],
  ["1000:group", 1000, "group"],
  ["name:5", "name", 5],
  ["machine$", "machine$", undefined],
  ["1name", "1name", undefined],
  ["first.last", "first.last", undefined],
];

describe("parseUser()", () => {
  test.each(CASES)("reads %j", (text, user, group) => {
    expect(parseUser(text)).toEqual({
      user: identity(user),
      group: group === undefined ? undefined : identity(group),
    });
  });

  test.each([
    "4294967295",
    "4294967296",
    "99999999999999999999",
    "1:4294967295",
    `${"0".repeat(30)}4294967295`,
  ])("refuses %j as out of range, never as a name", (text) => {
    expect(() => parseUser(text)).toThrow(RangeError);
  });

  test.each([
    "",
    ":",
    "1:",
    ":1",
    "+1",
    "-1",
    " 1",
    "1 ",
    "1\n",
    "a b",
    "1:2:3",
    "a/b",
    "a,b",
    "root\0",
    "x".repeat(257),
  ])("refuses %j", (text) => {
    expect(() => parseUser(text)).toThrow(SyntaxError);
  });
});

describe("parseUserOption()", () => {
  test("keeps the text, and refuses what parseUser() refuses", () => {
    expect(parseUserOption("1000:users")).toBe("1000:users");
    expect(() => parseUserOption("-1")).toThrow(SyntaxError);
  });
});

function identity(value: number | string): Identity {
  return typeof value === "number" ? { kind: "id", id: value } : { kind: "name", name: value };
}
