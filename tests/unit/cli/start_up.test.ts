/** What is loaded before `bunker run` reaches the engine: each further module is paid for at every start. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const REPOSITORY = join(import.meta.dir, "../../..");

describe("src/main.ts", () => {
  test("loads nothing before it knows what it is to be", () => {
    expect(loadedWith("src/main.ts")).toEqual(["src/main.ts"]);
  });
});

describe("src/cli/dispatch.ts", () => {
  test("loads only what a run without values needs", () => {
    expect(loadedWith("src/cli/dispatch.ts")).toEqual([
      "src/cli/command_line.ts",
      "src/cli/command_line_error.ts",
      "src/cli/command_spec.ts",
      "src/cli/dispatch.ts",
      "src/cli/global_options.ts",
      "src/cli/options.ts",
      "src/cli/run.ts",
      "src/cli/run_arguments.ts",
      "src/cli/run_spec.ts",
      "src/engine/options/run_options.ts",
      "src/errors.ts",
    ]);
  });
});

describe("src/cli/runc/main.ts", () => {
  test("loads no module of Node, no command, and nothing of bunker run", () => {
    const loaded = loadedWith("src/cli/runc/main.ts");

    expect(loaded.filter((path) => !/^src\/(linux|errors)/.test(path) && path !== "bun:ffi")).toEqual([
      "src/cli/command_line_error.ts",
      "src/cli/command_spec.ts",
      "src/cli/options.ts",
      "src/cli/runc/commands.ts",
      "src/cli/runc/global_options.ts",
      "src/cli/runc/log.ts",
      "src/cli/runc/main.ts",
      "src/engine/bundle/context.ts",
      // Every command asks whether it is root of the machine.
      "src/engine/bundle/privilege.ts",
      "src/engine/bundle/stream.ts",
    ]);
  });
});

describe("src/cli/runc/", () => {
  // Loading node:fs takes 1 ms of each start (src/linux/small_file.ts).
  test.each(["create", "start", "run", "exec", "state", "kill", "delete", "pause", "resume"])(
    "%s loads no module of Node",
    (command) => {
      const loaded = loadedWith(`src/cli/runc/${command}.ts`);

      expect(loaded.filter((path) => !path.startsWith("src/") && path !== "bun:ffi")).toEqual([]);
    },
  );
});

describe("src/cli/run_values.ts", () => {
  test("loads no module of Bun or Node", () => {
    expect(loadedWith("src/cli/run_values.ts").filter((path) => !path.startsWith("src/"))).toEqual([]);
  });
});

describe("src/cli/tree.ts", () => {
  test("loads citty", () => {
    expect(loadedWith("src/cli/tree.ts")).toContain("citty");
  });
});

/** Files, from the repository's root, and packages that come with `entry`; lazy imports are left out. */
function loadedWith(entry: string): readonly string[] {
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    if (!path.endsWith(".ts")) return;
    const source = readFileSync(join(REPOSITORY, path), "utf8");
    for (const { kind, path: target } of transpiler.scanImports(source)) {
      if (kind !== "import-statement") continue;
      visit(target.startsWith(".") ? relative(REPOSITORY, join(REPOSITORY, dirname(path), target)) : target);
    }
  };
  visit(entry);
  return [...seen].sort();
}
