/** The command line of the OCI runtime with the built executable: who it is, and what it says to bad input. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { version } from "../../package.json";
import { type PipedResult, runPiped } from "../helpers/pipes.ts";
import { executable, testIf } from "../helpers/requires.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/bunker-runc-`);
  for (const name of ["runc", "bunker-oci"]) symlinkSync(executable, `${directory}/${name}`);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The three ways to start it. */
const calledAs = {
  "bunker oci": () => [executable, "oci"],
  "bunker-oci": () => [`${directory}/bunker-oci`],
  runc: () => [`${directory}/runc`],
} as const;

describe.each(Object.keys(calledAs) as (keyof typeof calledAs)[])("%s", (name) => {
  const run = (...words: readonly string[]) => runPiped([...calledAs[name](), ...words]);

  testIf(["the executable"], "prints its version in lines that go-runc parses", async () => {
    const { stdout, exitCode } = await run("--version");

    const shown = name === "runc" ? "runc" : "bunker-oci";
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^${shown} version ${RegExp.escape(version)}\ncommit: [0-9a-f]{16}\nspec: 1\\.3\\.0\n$`),
    );
    expect((await run("-v")).stdout).toBe(stdout);
  });

  testIf(["the executable"], "prints help for itself and each command, under its name", async () => {
    const overview = await run("--help");
    const help = await run("spec", "--help");

    expect(overview.stdout).toStartWith(`Usage:  ${name} [OPTIONS] COMMAND\n`);
    expect(help.stdout).toStartWith(`Usage:  ${name} spec [OPTIONS]\n`);
    expect([overview.exitCode, help.exitCode]).toEqual([0, 0]);
    expect((await run()).stdout).toBe(overview.stdout);
    expect((await run("help", "spec")).stdout).toBe(help.stdout);
  });
});

describe("a name with runc in it", () => {
  testIf(["the executable"], "is still bunker", async () => {
    symlinkSync(executable, `${directory}/not-runc`);

    expect((await runPiped([`${directory}/not-runc`, "--version"])).stdout).toBe(
      `bunker version ${version}\n`,
    );
  });
});

describe("a mistake in the command line", () => {
  test.each([
    [["nope"], 3, 'No help topic for \\"nope\\"'],
    [["spek"], 3, 'No help topic for \\"spek\\" (hint: Did you mean \\"spec\\"?)'],
    [["--nope"], 1, "flag provided but not defined: -nope"],
    [["spec", "--nope"], 1, "flag provided but not defined: -nope"],
    [["--root"], 1, "flag needs an argument: --root"],
    [["spec", "--rootless=maybe"], 1, 'invalid argument \\"maybe\\" for --rootless: expected true or false'],
    [["spec", "x"], 1, '\\"spec\\" requires exactly 0 argument(s)'],
    [["--log-format", "xml", "spec"], 1, 'invalid log-format: \\"xml\\": expected text or json'],
  ])("%j is one line of text and an exit code", async (words, exitCode, message) => {
    const result = await runPiped([executable, "oci", ...words]);

    expect(withoutTime(result.stderr)).toBe(`level=error msg="${message}"\n`);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, ""]);
  });

  testIf(["the executable"], "goes to the log as JSON, and bare to stderr", async () => {
    const log = `${directory}/log.json`;

    const result = await runPiped([executable, "oci", "--log", log, "--log-format=json", "nope"]);

    const { level, msg } = JSON.parse(readFileSync(log, "utf8")) as Record<string, string>;
    expect([level, msg]).toEqual(["error", 'No help topic for "nope"']);
    expect(result.stderr).toBe('No help topic for "nope"\n');
  });
});

describe("spec", () => {
  testIf(["the executable", "program runc"], "writes a file of the same shape as runc's", async () => {
    const [ours, theirs] = [mkdtempSync(`${directory}/ours-`), mkdtempSync(`${directory}/theirs-`)];

    const result = await spec(ours);
    await runPiped(["runc", "spec", "--bundle", theirs]);

    expect([result.exitCode, result.stdout, result.stderr]).toEqual([0, "", ""]);
    const left = without(shapeOf(readJson(`${theirs}/config.json`)), "ambient");
    expect(shapeOf(readJson(`${ours}/config.json`))).toEqual(left);
  });

  testIf(["the executable"], "refuses to replace a file", async () => {
    const bundle = mkdtempSync(`${directory}/twice-`);
    await spec(bundle);

    const { exitCode, stderr } = await spec(bundle);

    expect([exitCode, withoutTime(stderr)]).toEqual([
      1,
      "level=error msg=\"File config.json exists. Remove it first: EEXIST: file already exists, open '…'\"\n".replace(
        "…",
        `${bundle}/config.json`,
      ),
    ]);
  });

  testIf(["the executable"], "names a bundle that does not exist", async () => {
    const { exitCode, stderr } = await spec("/proc/nonexistent");

    expect(exitCode).toBe(1);
    expect(stderr).toContain('Cannot write \\"config.json\\" into \\"/proc/nonexistent\\"');
  });

  const spec = (bundle: string): Promise<PipedResult> =>
    runPiped([executable, "oci", "spec", "--bundle", bundle]);
});

const withoutTime = (line: string): string => line.replace(/^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" /, "");

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** Objects keep their keys, lists become the shape of their last element, and values their type. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value.at(-1))];
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shapeOf(member)]));
}

/** A shape without the members called `name`. */
function without(shape: unknown, name: string): unknown {
  if (Array.isArray(shape)) return shape.map((element) => without(element, name));
  if (typeof shape !== "object" || shape === null) return shape;
  const members = Object.entries(shape).filter(([key]) => key !== name);
  return Object.fromEntries(members.map(([key, member]) => [key, without(member, name)]));
}
