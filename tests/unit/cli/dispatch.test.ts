/** The program as it is called, up to the engine: exit codes and streams. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "../../../src/main.ts");

describe("bunker", () => {
  test.each([
    [["run"], 1, 'bunker: "bunker run" requires at least 1 argument'],
    [["pull"], 1, 'bunker: "bunker pull" requires 1 argument'],
    [["images", "a", "b"], 1, 'bunker: "bunker images" accepts at most 1 argument'],
    [["version", "a"], 1, 'bunker: "bunker version" accepts no arguments'],
    [
      ["run", "--netwrok", "host", "alpine"],
      125,
      "bunker: unknown flag: --netwrok\nhint: Did you mean --network?",
    ],
    [
      ["run", "-itd", "alpine"],
      125,
      "bunker: -d is not supported yet: bunker runs containers in the foreground",
    ],
    // A near name is no hint for what is no typing error.
    [
      ["run", "--gpus", "all", "alpine"],
      125,
      "bunker: --gpus is not supported yet: devices of the host are not passed on\n\nUsage:",
    ],
    [["pull", "--platfrom=x", "a"], 125, "bunker: unknown flag: --platfrom\nhint: Did you mean --platform?"],
    [["--debgu", "run"], 125, "bunker: unknown flag: --debgu\nhint: Did you mean --debug?"],
    [["--root=", "images"], 125, 'bunker: invalid argument "" for --root: expected a path'],
    [["rnu", "alpine"], 1, 'bunker: unknown command: "bunker rnu"\nhint: Did you mean "bunker run"?'],
    [["constructor"], 1, 'bunker: unknown command: "bunker constructor"'],
    [["help", "nothing"], 1, 'bunker: unknown command: "bunker nothing"'],
    [["help", "run", "x"], 1, 'bunker: unknown command: "bunker run x"'],
    [["help", "image", "nothing"], 1, 'bunker: "bunker image" has no command "nothing"'],
    [[""], 1, 'bunker: unknown command: "bunker "'],
    [["ps"], 1, 'bunker: unknown command: "bunker ps"\nhint: bunker runs containers in the foreground only'],
    [["save", "-o", "", "a"], 125, 'bunker: invalid argument "" for --output: expected a path'],
    [["load", "-i", ""], 125, 'bunker: invalid argument "" for --input: expected a path'],
    [["import", ""], 125, 'bunker: invalid argument "": expected a file'],
  ])("refuses %j with exit code %d", (words, exitCode, message) => {
    const result = bunker(words);

    expect(result.stderr).toStartWith(message);
    expect(result.stderr).toContain("\n\nUsage:  bunker ");
    expect(result).toMatchObject({ exitCode, stdout: "" });
  });

  test.each([
    [["image", "prune", "x"], "image prune [OPTIONS]"],
    [["image", "rm"], "rmi [OPTIONS] IMAGE"],
    [["system", "df", "--nothing"], "system df [OPTIONS]"],
    [["system", "df", "-v", "--format", "{{.ID}}"], "system df [OPTIONS]"],
  ])("shows the usage of the command that was meant: %j", (words, usage) => {
    expect(bunker(words).stderr).toContain(`\n\nUsage:  bunker ${usage}`);
  });

  test.each([
    [["help"], 125, "Cannot write to standard output: the disk is full\n  because: ENOSPC"],
    [["save", "nothing"], 125, "Cannot find image"],
  ])("tells that its output cannot be written: %j", (words, exitCode, message) => {
    const full = Bun.spawnSync([process.execPath, MAIN, "--root", "/nonexistent", ...words], {
      stdout: Bun.file("/dev/full"),
    });

    expect(full.exitCode).toBe(exitCode);
    expect(full.stderr.toString()).toStartWith(`bunker: ${message}`);
  });

  test.each([
    [[], "Usage:  bunker [OPTIONS] COMMAND"],
    [["--help"], "Usage:  bunker [OPTIONS] COMMAND"],
    [["-h"], "Usage:  bunker [OPTIONS] COMMAND"],
    [["help"], "Usage:  bunker [OPTIONS] COMMAND"],
    [["help", "run"], "Usage:  bunker run "],
    [["run", "--help"], "Usage:  bunker run "],
    [["run", "-i", "--help", "--", "alpine"], "Usage:  bunker run "],
    [["pull", "-h"], "Usage:  bunker pull "],
    [["help", "image"], "Usage:  bunker image [OPTIONS] COMMAND"],
    [["help", "image", "ls"], "Usage:  bunker image ls "],
    [["help", "system", "df"], "Usage:  bunker system df "],
    [["help", "oci"], "Usage:  bunker oci [OPTIONS] COMMAND"],
    [["help", "oci", "create"], "Usage:  bunker oci create "],
    [["image", "list", "--help"], "Usage:  bunker image ls "],
    [["image", "remove", "--help"], "Usage:  bunker rmi "],
    [["image", "import", "--help"], "Usage:  bunker import "],
    [["images", "--help"], "Usage:  bunker images "],
    [["--version"], "bunker version "],
    [["-v"], "bunker version "],
    [["version"], "Version:   "],
  ])("answers %j on stdout", (words, text) => {
    const result = bunker(words);

    expect(result.stdout).toStartWith(text);
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("prints its versions as JSON", () => {
    expect(JSON.parse(bunker(["version", "--json"]).stdout)).toMatchObject({ bun: Bun.version });
  });

  test("does not show the stack of an error unless -D asks for it", () => {
    const words = ["run", "--env-file", "/proc/nonexistent", "alpine"];

    expect(bunker(words).stderr).not.toContain("    at ");
    expect(bunker(["-D", ...words]).stderr).toContain("    at ");
  });

  test("stays quiet when the reader of its output has gone", () => {
    const shell = Bun.spawnSync(["sh", "-c", `"$0" "$1" help run | true; echo done`, process.execPath, MAIN]);

    expect(shell.stdout.toString()).toBe("done\n");
    expect(shell.stderr.toString()).toBe("");
  });
});

function bunker(words: readonly string[]): { exitCode: number; stdout: string; stderr: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, ...words], { stdin: "ignore" });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}
