/** Lines and tables by a template. */
import { describe, expect, test } from "bun:test";
import { renderObject, renderRows } from "../../../src/cli/template_output.ts";

const rows = [
  { ID: "1", Name: "long name" },
  { ID: "22", Name: "b\u001b[2J" },
];

describe("renderRows()", () => {
  test("prints a line for each row, with what would command a terminal as its number", () => {
    expect(renderRows("{{.ID}}\\t{{.Name}}", rows, {})).toBe("1\tlong name\n22\tb\\u{1b}[2J\n");
  });

  test("prints a table with heads", () => {
    expect(renderRows("table {{.Name}}\t{{.ID}}", rows, { ID: "IMAGE ID" })).toBe(
      "NAME         IMAGE ID\nlong name    1\nb\\u{1b}[2J   22\n",
    );
    expect(renderRows("table {{.ID}}", [], { ID: "IMAGE ID" })).toBe("IMAGE ID\n");
  });
});

describe("renderObject()", () => {
  test("prints one line", () => {
    expect(renderObject("{{.ID}}", { ID: "x" })).toBe("x\n");
  });
});
