/** The rules of docker's command line, each as one sentence. */
import { describe, expect, test } from "bun:test";
import { CommandLineError } from "../../../src/cli/command_line_error.ts";
import {
  type OptionSpec,
  type ParsedOptions,
  parseOptions,
  UnknownOptionError,
} from "../../../src/cli/options.ts";

const OPTIONS: readonly OptionSpec[] = [
  { name: "env", alias: "e", kind: "list", help: "" },
  { name: "interactive", alias: "i", kind: "boolean", help: "" },
  { name: "tty", alias: "t", kind: "boolean", help: "" },
  { name: "name", kind: "string", help: "" },
  { name: "network", kind: "string", help: "" },
  { name: "net", same: "network", kind: "string", help: "" },
];

describe("parseOptions()", () => {
  test.each([
    [["--env", "A=1"]],
    [["--env=A=1"]],
    [["-e", "A=1"]],
    [["-eA=1"]],
    [["-e=A=1"]],
    [["-ite", "A=1"]],
    [["-iteA=1"]],
  ])("reads the value A=1 from %j", (words) => {
    expect(parse(words).list("env")).toEqual(["A=1"]);
  });

  test("collects the values of a repeated list in their order", () => {
    expect(parse(["-eA=1", "--env", "B=2", "-e", "A=3"]).list("env")).toEqual(["A=1", "B=2", "A=3"]);
  });

  test("keeps the last value of a repeated single option", () => {
    expect(parse(["--name=a", "--name", "b"]).text("name")).toBe("b");
  });

  test.each([
    [["-name", "a"], "a"],
    [["-name=a"], "a"],
    [["--name", "a"], "a"],
  ])("takes a long name after one dash where Go's rules are asked for: %j", (words, value) => {
    const parsed = parseOptions(words, { options: OPTIONS, interspersed: true, singleDash: true });

    expect(parsed.text("name")).toBe(value);
  });

  test("still combines letters under Go's rules when they are no long name", () => {
    const parsed = parseOptions(["-it"], { options: OPTIONS, interspersed: true, singleDash: true });

    expect([parsed.flag("interactive"), parsed.flag("tty")]).toEqual([true, true]);
  });

  test("keeps an empty value apart from no value", () => {
    expect(parse(["--name="]).text("name")).toBe("");
    expect(parse([]).text("name")).toBeUndefined();
  });

  test("takes a following word that looks like an option as the value", () => {
    expect(parse(["--name", "-i"]).text("name")).toBe("-i");
  });

  test("counts both spellings of an option as one", () => {
    expect(parse(["--network=none", "--net", "host"]).list("network")).toEqual(["none", "host"]);
  });

  test.each([
    [["-i"], true],
    [["-it"], true],
    [["-ti"], true],
    [["--interactive"], true],
    [["--interactive=true"], true],
    [["--interactive=1"], true],
    [["--interactive=false"], false],
    [["-i=false"], false],
    [["-ti=false"], false],
    [["-i", "--interactive=F"], false],
    [[], false],
  ])("reads the boolean of %j as %p", (words, expected) => {
    expect(parse(words).flag("interactive")).toBe(expected);
  });

  test("leaves the word after a boolean alone", () => {
    const parsed = parse(["-i", "true"]);

    expect(parsed.operands).toEqual(["true"]);
  });

  test("leaves everything after the first operand alone when options are not interspersed", () => {
    const parsed = parse(["-i", "image", "-t", "--name", "x", "--", "-e"]);

    expect(parsed.operands).toEqual(["image", "-t", "--name", "x", "--", "-e"]);
    expect(parsed.flag("tty")).toBe(false);
    expect(parsed.text("name")).toBeUndefined();
  });

  test("finds options behind operands when they are interspersed", () => {
    const parsed = parse(["image", "-t", "more"], true);

    expect(parsed.operands).toEqual(["image", "more"]);
    expect(parsed.flag("tty")).toBe(true);
  });

  test("ends the options at the first --, and keeps a second one", () => {
    expect(parse(["-i", "--", "-t", "--"]).operands).toEqual(["-t", "--"]);
  });

  test("takes a single dash for an operand", () => {
    expect(parse(["-", "a"]).operands).toEqual(["-", "a"]);
  });

  test.each([
    [["--netwrok=host"], "unknown flag: --netwrok", "netwrok"],
    [["--Name=a"], "unknown flag: --Name", "Name"],
    [["--constructor"], "unknown flag: --constructor", "constructor"],
    [["-x"], 'unknown shorthand flag: "x" in -x', "x"],
    [["-itx"], 'unknown shorthand flag: "x" in -itx', "x"],
    [["--no-tty"], "unknown flag: --no-tty", "no-tty"],
  ])("refuses %j", (words, message, option) => {
    const error = thrownBy(words);

    expect(error).toBeInstanceOf(UnknownOptionError);
    expect(error.message).toBe(message);
    expect((error as UnknownOptionError).option).toBe(option);
    expect(error.exitCode).toBe(125);
  });

  test.each([
    [["--name"], "flag needs an argument: --name"],
    [["-ie"], 'flag needs an argument: "e" in -ie'],
    [["--interactive=maybe"], 'invalid argument "maybe" for --interactive: expected true or false'],
    [["---name"], "bad flag syntax: ---name"],
    [["--=x"], "bad flag syntax: --=x"],
  ])("explains what is wrong with %j", (words, message) => {
    const error = thrownBy(words);

    expect(error.message).toBe(message);
    expect(error.exitCode).toBe(125);
  });
});

function parse(words: readonly string[], interspersed = false): ParsedOptions {
  return parseOptions(words, { options: OPTIONS, interspersed });
}

function thrownBy(words: readonly string[]): CommandLineError {
  try {
    parse(words);
  } catch (error) {
    if (error instanceof CommandLineError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
