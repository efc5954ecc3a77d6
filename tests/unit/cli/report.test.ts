/** What a person sees when something fails. */
import { describe, expect, test } from "bun:test";
import { describeError, exitCodeOf } from "../../../src/cli/report.ts";
import { UsageError } from "../../../src/errors.ts";

describe("describeError()", () => {
  test("prints the message, every cause, and the hint", () => {
    const kernel = new Error('mount("/srv", "/x"): ENOENT');
    const step = new Error("Cannot mount the volume", { cause: kernel });
    const error = new UsageError('Cannot start container "web"', { cause: step, hint: "Make the directory" });

    expect(describeError(error)).toBe(
      [
        'bunker: Cannot start container "web"',
        "  because: Cannot mount the volume",
        '  because: mount("/srv", "/x"): ENOENT',
        "hint: Make the directory",
        "",
      ].join("\n"),
    );
  });

  test("prints the hint of a cause, and an equal hint only once", () => {
    const cause = new UsageError("inner", { hint: "Do it" });

    const text = describeError(new UsageError("outer", { cause, hint: "Do it" }));

    expect(text.split("hint: Do it").length - 1).toBe(1);
    expect(describeError(new Error("outer", { cause }))).toContain("hint: Do it");
  });

  test("prints all parts of an AggregateError", () => {
    const text = describeError(new AggregateError([new Error("one"), new Error("two")], "Cannot pull"));

    expect(text).toBe("bunker: AggregateError: Cannot pull\n  because: one\n  because: two\n");
  });

  test("ends for causes that form a circle", () => {
    const first = new Error("first");
    const second = new Error("second", { cause: first });
    first.cause = second;

    expect(describeError(first).split("\n").length).toBeLessThan(20);
  });

  test("makes control characters of foreign texts harmless", () => {
    const text = describeError(new Error("image \u001b]0;title\u0007 \u202e"));

    expect(text).toBe("bunker: image \\u{1b}]0;title\\u{7} \\u{202e}\n");
  });

  test("cuts a message that nobody would read", () => {
    const text = describeError(new UsageError(`Cannot use "${"x".repeat(100_000)}"`));

    expect(text.length).toBeLessThan(3000);
    expect(text).toEndWith("x…\n");
  });

  test("names the class of a mistake of our own", () => {
    expect(describeError(new TypeError("x is not a function"))).toBe(
      "bunker: TypeError: x is not a function\n",
    );
  });

  test("prints what is no Error at all", () => {
    expect(describeError("text")).toBe("bunker: text\n");
  });
});

describe("exitCodeOf()", () => {
  test.each([
    [127, 127],
    [0, 0],
    [256, 125],
    [-1, 125],
    [1.5, 125],
    ["1", 125],
    [undefined, 125],
  ])("an error that asks for %p ends the program with %d", (exitCode, expected) => {
    expect(exitCodeOf(Object.assign(new Error("any"), { exitCode }))).toBe(expected);
  });

  test("what is no error ends the program with 125", () => {
    expect(exitCodeOf("text")).toBe(125);
  });
});
