import { describe, expect, test } from "bun:test";
import { MovedPaths } from "../../../../src/image/unpack/moved_paths.ts";

describe("MovedPaths", () => {
  test("finds what lies in a moved directory, and the directory, where they went", () => {
    const moves = new MovedPaths();
    moves.add("lib", "usr/lib");

    expect(["lib", "lib/a/b", "library/x", "x/lib", ""].map((path) => moves.find(path))).toEqual([
      "usr/lib",
      "usr/lib/a/b",
      "library/x",
      "x/lib",
      "",
    ]);
  });

  test("follows moves within moved directories, and of targets that moved later", () => {
    const moves = new MovedPaths();
    moves.add("d", "t");
    moves.add("t/x", "y");
    moves.add("y", "z/deep");

    expect(moves.find("d/x/file")).toBe("z/deep/file");
  });

  test("moves a path to the root", () => {
    const moves = new MovedPaths();
    moves.add("up", "");

    expect(moves.find("up/etc")).toBe("etc");
  });

  test("comes to an end where moves go in a circle", () => {
    const moves = new MovedPaths();
    moves.add("a", "b");
    moves.add("b", "a");

    expect(["a/x", "b/x"]).toContain(moves.find("a/x"));
  });

  test("asks for each of many paths in the same time", () => {
    const moves = new MovedPaths();
    for (let count = 0; count < 100_000; count += 1) moves.add(`d${count}`, "t");

    let found = 0;
    for (let count = 0; count < 100_000; count += 1) if (moves.find(`d${count}/f`) === "t/f") found += 1;

    // Comparing each with all takes minutes, beyond the time of a test.
    expect(found).toBe(100_000);
  });
});
