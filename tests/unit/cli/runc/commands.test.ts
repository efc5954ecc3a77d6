import { describe, expect, test } from "bun:test";
import { commandNames, findCommand } from "../../../../src/cli/runc/commands.ts";

describe("findCommand()", () => {
  test.each(commandNames().map((name) => [name]))(
    "%s has each option once, help, and examples",
    async (name) => {
      const command = await findCommand(name);

      const names = command?.options.map((option) => option.name) ?? [];
      expect(command?.name).toBe(name);
      expect(new Set(names).size).toBe(names.length);
      expect(names).toContain("help");
      expect(command?.examples.length).toBeGreaterThan(0);
    },
  );

  test("knows no other", async () => {
    expect(await findCommand("constructor")).toBeUndefined();
  });
});
