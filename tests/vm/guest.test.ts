/**
 * Tests of this repository on a kernel with the one hierarchy of control groups, AppArmor, and systemd, which the machine that
 * runs this may lack: Debian's cloud kernel in qemu. The machines run two at a time, before the first test is declared,
 * since only they know which tests there are; each of theirs is then one here, with the same result.
 */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { titleOf, whyMissing } from "../helpers/requires.ts";
import { type GuestFiles, PackagesMissing, prepareGuestFiles } from "./guest_files.ts";
import { LATER_KERNEL_PACKAGE } from "./packages.ts";
import { consoleOfTest, isBroken, lastLines, type MachineReport, readReports } from "./report.ts";
import { makeRepositoryDisk } from "./repository_disk.ts";
import { type Machine, machines } from "./suites.ts";
import { type MachineFiles, type MachineOutput, QEMU, runMachine } from "./virtual_machine.ts";

const NO_LATER_KERNEL = `needs Debian's package ${LATER_KERNEL_PACKAGE}`;

/** With two processors and the later kernel, two of three ended so. */
const BOOTS_MAX = 3;

const prepared = prepare();

if ("missing" in prepared) {
  for (const { name } of machines)
    test.skip(titleOf(`the machine "${name}" runs its suites`, prepared.missing), () => undefined);
} else {
  const wanted = machines.filter(({ isLater }) => !isLater || prepared.laterKernel !== undefined);
  const outputs = await runMachines(prepared, wanted);
  for (const [index, output] of outputs.entries()) declareTests(wanted[index] as Machine, output);
  for (const { name } of machines.filter((machine) => !wanted.includes(machine)))
    test.skip(titleOf(`the machine "${name}" runs its suites`, NO_LATER_KERNEL), () => undefined);
}

/** What machines are started with, or why there cannot be any here. */
function prepare(): GuestFiles | { readonly missing: string } {
  const missing = whyMissing([
    "x86-64",
    `program ${QEMU}`,
    "program mke2fs",
    "program apt-get",
    "the executable",
  ]);
  if (missing !== undefined) return { missing };
  try {
    return prepareGuestFiles();
  } catch (error) {
    if (!(error instanceof PackagesMissing)) throw error;
    return { missing: `needs Debian's packages of the guest: ${error.message}` };
  }
}

async function runMachines(files: GuestFiles, wanted: readonly Machine[]): Promise<readonly MachineOutput[]> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-vm-`);
  try {
    const repository = makeRepositoryDisk(directory, wanted);
    // The first takes as long as all others together.
    const [first, ...others] = wanted;
    const run = (machine: Machine): Promise<MachineOutput> =>
      bootMachine(machine, { ...files, repository, directory });
    const rest = async (): Promise<MachineOutput[]> => {
      const outputs: MachineOutput[] = [];
      for (const machine of others) outputs.push(await run(machine));
      return outputs;
    };
    const [output, outputs] = await Promise.all([run(first as Machine), rest()]);
    return [output, ...outputs];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Runs a machine, again when its kernel died of what the emulator did: its processors are threads of the host, and one
 * meets at times the breakpoint by which another changes code, when it is gone already.
 */
async function bootMachine(machine: Machine, files: MachineFiles): Promise<MachineOutput> {
  for (let boot = 1; ; boot++) {
    const output = await runMachine(machine, files);
    if (!output.console.includes("Oops: int3:") || boot === BOOTS_MAX) return output;
    console.log(`machine "${machine.name}": run ${boot} ended with a breakpoint of the kernel's own`);
  }
}

function declareTests({ name, has }: Machine, output: MachineOutput): void {
  const report = readReports(output);
  console.log(summaryOf(name, output, report));
  describe(`the machine "${name}"`, () => {
    test("runs its suites to the end and turns itself off", () => {
      const broken = report.suites.filter(isBroken).map(({ path }) => path);

      if (output.timedOut || !report.isComplete) throw new Error(lastLines(output.console));
      expect(broken).toEqual([]);
      expect(report.suites.length).toBeGreaterThan(0);
    });

    test("has a kernel that complains of nothing", () => {
      const complaints = output.console
        .split("\n")
        .filter((line) => /\b(BUG|Oops|WARNING: CPU)\b/.test(line));

      expect(complaints).toEqual([]);
    });

    for (const testCase of report.suites.flatMap(({ cases }) => cases)) {
      const lacking = has.find((need) => testCase.name.includes(`skipped: needs ${need}: `));
      test.skipIf(testCase.result === "skipped" && lacking === undefined)(testCase.name, () => {
        expect(lacking).toBeUndefined();
        if (testCase.result === "failed") throw new Error(consoleOfTest(output.console, testCase));
      });
    }
  });
}

function summaryOf(
  name: string,
  { durationMs }: MachineOutput,
  { bootSeconds, suites }: MachineReport,
): string {
  const seconds = (durationMs / 1000).toFixed(1);
  const ready = bootSeconds === undefined ? "never ready" : `ready after ${bootSeconds} s`;
  return `machine "${name}": ${ready}, off after ${seconds} s, ${suites.length} suites`;
}
