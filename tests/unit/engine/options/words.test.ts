/** Names, capabilities, security options, and the options with few words. */
import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { parseCapabilities } from "../../../../src/engine/options/capability.ts";
import { parseHostname } from "../../../../src/engine/options/hostname.ts";
import { parseName } from "../../../../src/engine/options/name.ts";
import { parseNetwork } from "../../../../src/engine/options/network.ts";
import { parsePull } from "../../../../src/engine/options/pull.ts";
import { parseSecurityOpt } from "../../../../src/engine/options/security_opt.ts";
import { UsageError } from "../../../../src/errors.ts";

describe("parseName()", () => {
  test.each(["a", "web_1", "a.b-c", "0", "x".repeat(128)])("takes %j", (text) => {
    expect(parseName(text)).toBe(text);
  });

  test.each(["", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "ä", "x".repeat(129)])("refuses %j", (text) => {
    expect(() => parseName(text)).toThrow(SyntaxError);
  });
});

describe("parseHostname()", () => {
  test.each(["a", "web-1.example.com", "A1", "x".repeat(64)])("takes %j", (text) => {
    expect(parseHostname(text)).toBe(text);
  });

  test.each(["", "-a", "a-", "a..b", ".a", "a b", "a_b", "a\n", "x".repeat(65)])("refuses %j", (text) => {
    expect(() => parseHostname(text)).toThrow(SyntaxError);
  });
});

describe("parseCapabilities()", () => {
  test.each([
    ["NET_ADMIN", ["CAP_NET_ADMIN"]],
    ["CAP_NET_ADMIN", ["CAP_NET_ADMIN"]],
    ["cap_net_admin", ["CAP_NET_ADMIN"]],
    ["all", ["ALL"]],
    ["CAP_ALL", ["ALL"]],
    ["chown,kill", ["CAP_CHOWN", "CAP_KILL"]],
  ])("reads %j as %j", (text, expected) => {
    expect(parseCapabilities(text)).toEqual(expected);
  });

  test.each(["", ",", "NET-ADMIN", "1", "CHOWN,", "X".repeat(40)])("refuses %j", (text) => {
    expect(() => parseCapabilities(text)).toThrow(SyntaxError);
  });
});

describe("parseSecurityOpt()", () => {
  test.each([
    ["no-new-privileges", { noNewPrivileges: true }],
    ["no-new-privileges=true", { noNewPrivileges: true }],
    ["no-new-privileges:true", { noNewPrivileges: true }],
    ["no-new-privileges=false", { noNewPrivileges: false }],
    ["seccomp=unconfined", { seccomp: "unconfined" }],
    ["seccomp:unconfined", { seccomp: "unconfined" }],
    ["seccomp=builtin", { seccomp: "default" }],
    ["seccomp=default", { seccomp: resolve("default") }],
    ["seccomp=/p/a=b.json", { seccomp: "/p/a=b.json" }],
    ["systempaths=unconfined", { unmaskedPaths: true }],
    ["apparmor=unconfined", {}],
    ["label=disable", {}],
    ["label:disable", {}],
  ])("reads %j", (text, expected) => {
    expect(parseSecurityOpt(text)).toEqual(expected);
  });

  test.each([
    "",
    "bogus",
    "no-new-privileges=maybe",
    "seccomp",
    "seccomp=",
    "systempaths",
    "systempaths=all",
    "=x",
  ])("refuses %j", (text) => {
    expect(() => parseSecurityOpt(text)).toThrow(SyntaxError);
  });

  test.each(["apparmor=docker-default", "apparmor", "label=type:container_t"])(
    "says that %j is not supported",
    (text) => {
      expect(() => parseSecurityOpt(text)).toThrow(UsageError);
      expect(() => parseSecurityOpt(text)).toThrow("not supported yet");
    },
  );
});

describe("parsePull()", () => {
  test.each(["always", "missing", "never"] as const)("takes %s", (word) => {
    expect(parsePull(word)).toBe(word);
  });

  test.each(["", "Always", "newer"])("refuses %j", (word) => {
    expect(() => parsePull(word)).toThrow("expected always, missing or never");
  });
});

describe("parseNetwork()", () => {
  test.each(["host", "none"] as const)("takes %s", (word) => {
    expect(parseNetwork(word)).toBe(word);
  });

  test.each(["", "bridge", "container:a"])("refuses %j", (word) => {
    expect(() => parseNetwork(word)).toThrow("private networks are not supported yet");
  });
});
