/** The init of `--init` without a container around it, for both processors: it ends as its command does. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { architectures, runnerOf, writeProgram } from "../../../helpers/foreign_program.ts";
import { runPiped } from "../../../helpers/pipes.ts";
import { titleOf, whyMissing } from "../../../helpers/requires.ts";

const directory = mkdtempSync(`${tmpdir()}/bunker-init-`);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each(architectures)("planInit() on %s", (architecture) => {
  const { runner, needs } = runnerOf(architecture);
  const reason = whyMissing(needs);

  test.skipIf(reason !== undefined).each([
    ["the command's own exit code", "init_exit", 7],
    ["128 + n when signal n killed the command", "init_kill", 128 + 9],
  ])(titleOf("exits with %s", reason), async (_, name, exitCode) => {
    const file = `${directory}/${architecture}.${name}`;
    await writeProgram(architecture, name, file);

    const result = await runPiped([...runner, file], { timeoutMs: 30_000 });

    expect(result).toMatchObject({ stdout: "", stderr: "", exitCode });
  });
});
