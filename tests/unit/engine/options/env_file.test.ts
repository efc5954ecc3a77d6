/** Environment variables from options and from files, by docker's rules. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "../../../../src/engine/options/env.ts";
import { ENV_FILE_BYTES_MAX, parseEnvText, readEnvFile } from "../../../../src/engine/options/env_file.ts";
import { UsageError } from "../../../../src/errors.ts";

describe("parseEnvText()", () => {
  test.each([
    ["A=1\nB=2\n", ["A=1", "B=2"]],
    ["A=1", ["A=1"]],
    ["A=1\r\nB=2\r\n", ["A=1", "B=2"]],
    ["\ufeffA=1", ["A=1"]],
    ["# comment\n  # comment\n\n \t\nA=1", ["A=1"]],
    ["  A=1", ["A=1"]],
    ["A= spaces stay ", ["A= spaces stay "]],
    [`A="quotes stay"`, [`A="quotes stay"`]],
    ["A=b#c", ["A=b#c"]],
    ["A=b=c", ["A=b=c"]],
    ["A=", ["A="]],
    ["HOME", ["HOME"]],
    ["HOME  ", ["HOME"]],
    ["", []],
  ])("reads %j as %j", (text, entries) => {
    expect(parseEnvText(text, "file")).toEqual(entries);
  });

  test.each([
    ["A=1\n=secret", "line 2 has no variable name before ="],
    ["my key=secret", "line 1 has white space in the variable name"],
    ["A =secret", "line 1 has white space in the variable name"],
    ["export A", "line 1 has white space in the variable name"],
  ])("refuses %j without repeating the line", (text, reason) => {
    const refused = (): readonly string[] => parseEnvText(text, "file");

    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(reason);
    expect(refused).not.toThrow("secret");
  });
});

describe("readEnvFile()", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "bunker-test-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test("reads a file", () => {
    expect(readEnvFile(file("good", "A=1\n"))).toEqual(["A=1"]);
  });

  test("takes a file of exactly the greatest size, and refuses one byte more", () => {
    const text = `A=${"x".repeat(ENV_FILE_BYTES_MAX - 2)}`;

    expect(readEnvFile(file("full", text))).toEqual([text]);
    expect(() => readEnvFile(file("over", `${text}x`))).toThrow("larger than 1048576 bytes");
  });

  test("refuses an endless file", () => {
    expect(() => readEnvFile("/dev/zero")).toThrow("larger than 1048576 bytes");
  });

  test.each([
    ["not UTF-8", Uint8Array.of(0x41, 0x3d, 0xff, 0xfe)],
    ["with a NUL", Uint8Array.of(0x41, 0x3d, 0x00)],
  ])("refuses a file that is %s", (_, bytes) => {
    expect(() => readEnvFile(file("binary", bytes))).toThrow("it is not UTF-8 text");
  });

  test("refuses a directory", () => {
    expect(() => readEnvFile(directory)).toThrow("it is a directory");
  });

  test("keeps the reason why a file cannot be read", () => {
    const refused = (): readonly string[] => readEnvFile(join(directory, "missing"));

    expect(refused).toThrow(UsageError);
    expect(causeOf(refused)).toContain("ENOENT");
  });

  function file(name: string, content: string | Uint8Array): string {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  }
});

describe("parseEnv()", () => {
  test.each(["A=1", "A=", "A", "A=b=c", "a.b-c=1", " A=1"])("takes %j as it is", (text) => {
    expect(parseEnv(text)).toBe(text);
  });

  test.each(["", "=", "=secret", "A=\0"])("refuses %j", (text) => {
    expect(() => parseEnv(text)).toThrow(SyntaxError);
  });
});

function causeOf(action: () => unknown): string {
  try {
    action();
    return "";
  } catch (error) {
    return String((error as Error).cause);
  }
}
