/**
 * The executable reads nothing of the directory that it is started in, and no variable of the environment makes it run
 * other code. Each test would pass by accident if the marker could not be written, so Bun itself is shown to fall for it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { runPiped } from "../helpers/pipes.ts";
import { executable, testIf } from "../helpers/requires.ts";

let directory: string;
let marker: string;

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/bunker-executable-`);
  marker = `${directory}/marker`;
  writeFileSync(
    `${directory}/evil.js`,
    `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "ran");`,
  );
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the executable", () => {
  test.each(["BUN_OPTIONS", "BUN_INSPECT_PRELOAD"])("ignores a preload in %s", async (name) => {
    await start({ [name]: `--preload=${directory}/evil.js` });

    expect(existsSync(marker)).toBe(false);
  });

  test("stays bunker with BUN_BE_BUN=1", async () => {
    const { stdout } = await runPiped([executable, "-e", "console.log('bun')"], { env: { BUN_BE_BUN: "1" } });

    expect(stdout).not.toContain("bun\n");
  });

  test("is made from a Bun that would obey all three", async () => {
    const bun = { cwd: directory, env: { BUN_OPTIONS: `--preload=${directory}/evil.js` } };

    await runPiped([process.execPath, "-e", "0"], bun);

    expect(existsSync(marker)).toBe(true);
    rmSync(marker);
  });

  test.each([
    ["bunfig.toml", 'preload = ["./evil.js"]\n'],
    [".env", "BUNKER_ROOT=/nonexistent/from-env-file\n"],
    ["package.json", '{"name": "evil", "imports": {"#x": "./evil.js"}}\n'],
    ["tsconfig.json", '{"compilerOptions": {"paths": {"*": ["./evil.js"]}}}\n'],
  ])("reads no %s of the directory that it is started in", async (name, content) => {
    writeFileSync(`${directory}/${name}`, content);

    const { stdout } = await start({}, ["info"]);

    rmSync(`${directory}/${name}`);
    expect(existsSync(marker)).toBe(false);
    expect(stdout).not.toContain("from-env-file");
  });

  testIf(["root", "program strace"], "opens no file of the directory that it is started in", async () => {
    const trace = `${directory}/trace`;
    const command = [
      "strace",
      "-f",
      "-e",
      "trace=openat,open,stat,newfstatat",
      "-o",
      trace,
      executable,
      "version",
    ];

    await runPiped(command, { cwd: directory });

    const opened = await Bun.file(trace).text();
    expect(opened).toContain("libc.so.6");
    expect(opened).not.toContain(`"${directory}/`);
    expect(opened).not.toMatch(/AT_FDCWD, "(?!\/)[^"]+\.(env|toml|json)/);
  });

  testIf(["root", "program setcap"], "refuses to work with file capabilities", async () => {
    const copy = `${directory}/bunker`;
    copyFileSync(executable, copy);
    Bun.spawnSync(["setcap", "cap_sys_admin+ep", copy]);
    Bun.spawnSync(["chmod", "755", directory]);

    const result = await runPiped(["setpriv", "--reuid=65534", "--clear-groups", copy, "run", "x"], {
      env: { HOME: directory, PATH: "/usr/bin:/bin" },
    });

    rmSync(copy);
    expect(result.stderr).toContain("Cannot run with setuid or file capabilities");
    expect(result.exitCode).toBe(125);
  });
});

const start = (env: Readonly<Record<string, string>>, args: readonly string[] = ["version"]) =>
  runPiped([executable, ...args], {
    cwd: directory,
    env: { HOME: directory, BUNKER_ROOT: `${directory}/root`, BUNKER_STATE: `${directory}/state`, ...env },
  });
