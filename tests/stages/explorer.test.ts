/** The program that stands in for the challenge's own does what the stages expect of that one, call by call. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileExplorer } from "../helpers/explorer.ts";
import { runPiped } from "../helpers/pipes.ts";
import { testIf, titleOf, whyMissing } from "../helpers/requires.ts";

const directory = mkdtempSync(`${tmpdir()}/bunker-explorer-`);
const explorer = `${directory}/explorer`;
const missing = whyMissing(["program gcc"]);

beforeAll(async () => {
  if (missing === undefined) await compileExplorer(explorer);
  mkdirSync(`${directory}/tree/b`, { recursive: true });
  for (const name of [".hidden", "a", "B"]) writeFileSync(`${directory}/tree/${name}`, "");
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Arguments, stdout, stderr, exit code; `null` stands for the help text and what precedes it. */
const calls: readonly (readonly [string, string | null, string, number])[] = [
  ["echo a b", "a b\n", "", 0],
  ["echo_stderr a b", "", "a b\n", 0],
  ["ls TREE", ".hidden\nB\na\nb\n", "", 0],
  ["ls TREE/missing", "No such file or directory\n", "", 2],
  ["ls TREE/a", "Error: open TREE/a: Not a directory", "", 1],
  ["touch TREE/new", "Touched file TREE/new\n", "", 0],
  ["touch TREE/missing/new", "Error: open TREE/missing/new: No such file or directory", "", 1],
  ["exit 0", "", "", 0],
  ["exit 29", "", "", 29],
  ["exit 300", "", "", 44],
  ["exit abc", "Unable to parse exit code 0\n", "", 1],
  ["", null, "", 1],
  ["echo", null, "", 1],
  ["--help", null, "", 1],
];

describe("explorer", () => {
  test.skipIf(missing !== undefined).each(calls)(
    titleOf('answers "%s" as the table says', missing),
    async (words, stdout, stderr, exitCode) => {
      const place = (text: string): string => text.replaceAll("TREE", `${directory}/tree`);
      const args = place(words).split(" ").filter(Boolean);

      const result = await runPiped([explorer, ...args]);

      if (stdout === null) expect(result.stdout).toContain("\nUsage: ");
      else expect(result.stdout).toBe(place(stdout));
      expect(result.stderr).toBe(stderr);
      expect(result.exitCode).toBe(exitCode);
    },
  );

  testIf(
    ["root", "program gcc"],
    "is process 1 of an empty root without libraries, /proc and /dev",
    async () => {
      const root = `${directory}/root`;
      mkdirSync(root);
      await Bun.write(`${root}/explorer`, Bun.file(explorer));
      chmodSync(`${root}/explorer`, 0o755);

      const result = await runPiped(["unshare", "--fork", "--pid", "chroot", root, "/explorer", "mypid"]);

      expect(result).toMatchObject({ stdout: "1\n", stderr: "", exitCode: 0 });
    },
  );
});
