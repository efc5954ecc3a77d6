import { describe, expect, test } from "bun:test";
import { additionalGids, capabilities, environment, execUser } from "../../../../src/cli/runc/exec_values.ts";

describe("execUser()", () => {
  // The table of CVE-2026-30892, where crun read "1" as user 0.
  test.each([
    ["0", { uid: 0 }],
    ["1", { uid: 1 }],
    ["01", { uid: 1 }],
    ["1:2", { uid: 1, gid: 2 }],
    ["2147483648", { uid: 2_147_483_648 }],
    ["4294967294:4294967294", { uid: 4_294_967_294, gid: 4_294_967_294 }],
  ])("reads %p", (text, user) => {
    expect(execUser(text)).toEqual(user);
  });

  test.each([
    "",
    "name",
    "name:1",
    "1:group",
    "1:",
    ":1",
    "+1",
    "-1",
    " 1",
    "1 ",
    "1\n",
    "0x1",
    "1e1",
    "1:2:3",
    "4294967295",
    "4294967296",
    "99999999999999999999",
  ])("refuses %p", (text) => {
    expect(() => execUser(text)).toThrow(/^invalid value/);
  });
});

describe("additionalGids()", () => {
  test("reads numbers, several in one word too", () => {
    expect(additionalGids(["5", "7,9"])).toEqual([5, 7, 9]);
  });

  test.each([["wheel"], ["1:2"], ["-1"], [""], ["1,"], ["4294967295"]])("refuses %p", (text) => {
    expect(() => additionalGids([text])).toThrow(/^invalid value/);
  });
});

describe("environment()", () => {
  test.each([["A=1"], ["A="], ["A=b=c"], ["a b=1"], ["A=1\n2"]])("takes %j", (text) => {
    expect(environment([text])).toEqual([text]);
  });

  test.each([["A"], ["=1"], [""], ["A=\0"]])("refuses %j", (text) => {
    expect(() => environment([text])).toThrow("invalid value for --env: expected KEY=VALUE");
  });

  test("does not show what may be a secret", () => {
    expect(() => environment(["hunter2"])).not.toThrow(/hunter2/);
  });
});

describe("capabilities()", () => {
  test("writes the kernel's names", () => {
    expect(capabilities(["CAP_NET_ADMIN", "sys_time"])).toEqual(["CAP_NET_ADMIN", "CAP_SYS_TIME"]);
  });

  test("refuses what is no name", () => {
    expect(() => capabilities(["a b"])).toThrow('invalid value "a b" for --cap');
  });
});
