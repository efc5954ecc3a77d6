/**
 * Why citty keeps the tree of commands but does not parse their arguments: each test shows what it makes of a command
 * line that docker reads otherwise. Should one fail after an update of citty, its reason has gone.
 */
import { describe, expect, test } from "bun:test";
import { type ArgsDef, defineCommand, parseArgs, runCommand } from "citty";

const ARGS: ArgsDef = {
  env: { type: "string", alias: "e" },
  name: { type: "string" },
  interactive: { type: "boolean", alias: "i" },
  tty: { type: "boolean", alias: "t" },
};

describe("parseArgs() of citty", () => {
  test("accepts an unknown option", () => {
    expect(() => parsedBy(["--netwrok", "host"])).not.toThrow();
  });

  test("keeps only the last value of a repeated option", () => {
    expect(parsedBy(["-e", "A=1", "-e", "B=2"])["env"]).toBe("B=2");
  });

  test("reads options behind the first operand, which belong to the container's command", () => {
    expect(parsedBy(["alpine", "ls", "-t"])["tty"]).toBe(true);
  });

  test("takes --no-x for a negation, and drops it from the command's own arguments", () => {
    const parsed = parsedBy(["alpine", "git", "--no-pager", "log"]);

    expect(parsed["_"]).toEqual(["alpine", "git", "log"]);
  });

  test("accepts an option whose value is missing", () => {
    expect(parsedBy(["--name"])["name"]).toBe("");
  });

  test("takes every text but false for true", () => {
    expect(parsedBy(["--interactive=0"])["interactive"]).toBe(true);
  });

  test("drops the -- of the container's command", () => {
    expect(parsedBy(["alpine", "grep", "--", "-x"])["_"]).toEqual(["alpine", "grep", "-x"]);
  });
});

describe("runCommand() of citty", () => {
  test("finds a command called toString unless the table of commands has no prototype", async () => {
    const withPrototype = defineCommand({ subCommands: { run: defineCommand({}) } });
    const without = defineCommand({
      subCommands: Object.assign(Object.create(null), { run: defineCommand({}) }),
    });

    expect(await outcome(withPrototype, "toString")).not.toBe("E_UNKNOWN_COMMAND");
    expect(await outcome(without, "toString")).toBe("E_UNKNOWN_COMMAND");
  });

  test("keeps the result of a sub command to itself", async () => {
    const root = defineCommand({ subCommands: { run: defineCommand({ run: () => 7 }) } });

    expect((await runCommand(root, { rawArgs: ["run"] })).result).toBeUndefined();
  });
});

function parsedBy(words: string[]): Readonly<Record<string, unknown>> {
  return parseArgs(words, ARGS);
}

async function outcome(command: ReturnType<typeof defineCommand>, name: string): Promise<string> {
  try {
    await runCommand(command, { rawArgs: [name] });
    return "ran";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "other";
  }
}
