/**
 * Builds the executable, runs tests in a virtual machine, and shows its console: control groups of version 2 and AppArmor, in `systemd` with that as
 * first process, in `later` on a later kernel. `npm test -- vm` runs the usual ones in each.
 *
 *     Usage: bun run scripts/vm.ts plain|systemd|later TEST…        e.g. plain "tests/conformance/features.test.ts RUNTIME=crun"
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { prepareGuestFiles } from "../tests/vm/guest_files.ts";
import { makeRepositoryDisk } from "../tests/vm/repository_disk.ts";
import { machines } from "../tests/vm/suites.ts";
import { runMachine } from "../tests/vm/virtual_machine.ts";

async function main([name, ...suites]: readonly string[]): Promise<number> {
  const machine = machines.find((candidate) => candidate.name === name);
  if (machine === undefined || suites.length === 0) {
    console.error("Usage: bun run scripts/vm.ts plain|systemd|later TEST…");
    return 2;
  }
  const { exitCode } = Bun.spawnSync([process.execPath, `${import.meta.dir}/build.ts`], {
    stderr: "inherit",
  });
  if (exitCode !== 0) return exitCode;
  const files = prepareGuestFiles();
  const directory = mkdtempSync(`${tmpdir()}/bunker-vm-`);
  try {
    const wanted = { ...machine, suites };
    const repository = makeRepositoryDisk(directory, [wanted]);
    const { timedOut, reports } = await runMachine(wanted, {
      ...files,
      repository,
      directory,
      isWatched: true,
    });
    const codes = [...reports.matchAll(/^suite (\d+) /gm)].map(([, code]) => code);
    return !timedOut && codes.length === suites.length && codes.every((code) => code === "0") ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exit(await main(process.argv.slice(2)));
