/**
 * One boot of the guest in qemu, with a processor in software: from the start of the kernel to the end of the last suite. The
 * guest has two disks, two serial lines, and no network; what it writes to the disks is gone with it.
 */
import { readFileSync } from "node:fs";
import type { GuestFiles } from "./guest_files.ts";
import type { Machine } from "./suites.ts";

/** The emulator, looked up in PATH. */
export const QEMU = "qemu-system-x86_64";

/** Bounds from the inside out: the guest ends a test, then a suite; the host ends the machine. */
const TEST_MS_MAX = 60_000;
const SUITE_SECONDS_MAX = 300;
const MACHINE_MS_MAX = 9 * 60_000;

const MEMORY_MIB = 2048;
/**
 * The emulator's processors are threads of the host, and the later kernel does not always survive what one of two does to
 * the code that the other executes.
 */
const processorsOf = ({ isLater }: Machine): number => (isLater ? 1 : 2);

/** What a machine has written. */
export interface MachineOutput {
  /** What a person at the machine would see. */
  readonly console: string;
  /** Reports of the suites, see tests/vm/guest/usr/local/lib/bunker-tests/run. */
  readonly reports: string;
  /** Whether it was killed because it did not end. */
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface MachineFiles extends GuestFiles {
  readonly repository: string;
  /** For what it writes. */
  readonly directory: string;
  /** Shows the console on this process's stdout while it runs, instead of keeping it [false]. */
  readonly isWatched?: boolean;
}

/** Runs `machine` until it turns itself off. @throws {Error} when qemu itself fails, with what it said */
export async function runMachine(machine: Machine, files: MachineFiles): Promise<MachineOutput> {
  const consolePath = `${files.directory}/${machine.name}.console`;
  const reportsPath = `${files.directory}/${machine.name}.reports`;
  const started = performance.now();
  const child = Bun.spawn(
    [
      ...[QEMU, ...hardware(machine, files), ...boot(machine, files)],
      ...["-serial", files.isWatched ? "stdio" : `file:${consolePath}`, "-serial", `file:${reportsPath}`],
    ],
    {
      stdin: "ignore",
      stdout: files.isWatched ? "inherit" : "ignore",
      stderr: "pipe",
      env: { ...process.env, TMPDIR: files.directory },
    },
  );
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, MACHINE_MS_MAX);
  const [exitCode, complaint] = await Promise.all([child.exited, child.stderr.text()]);
  clearTimeout(timer);
  if (exitCode !== 0 && !timedOut)
    throw new Error(`Cannot run "${QEMU}": exit code ${exitCode}: ${complaint}`);
  return {
    console: files.isWatched ? "" : readText(consolePath),
    reports: readText(reportsPath),
    timedOut,
    durationMs: performance.now() - started,
  };
}

function hardware(machine: Machine, { root, repository }: MachineFiles): readonly string[] {
  return [
    ...["-nodefaults", "-no-reboot", "-display", "none"],
    // Tests in the guest are root there and attack what they can.
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...[
      "-accel",
      "tcg,thread=multi",
      "-cpu",
      "max",
      "-smp",
      String(processorsOf(machine)),
      "-m",
      String(MEMORY_MIB),
    ],
    // Of different kinds: two of one kind the kernel numbers in the order in which they answer.
    ...[...disk(root, "root"), "-device", "nvme,drive=root,serial=root"],
    ...[...disk(repository, "repository"), "-device", "virtio-blk-pci,drive=repository"],
  ];
}

function disk(file: string, id: string): readonly string[] {
  return ["-drive", `file=${file},if=none,id=${id},format=raw,snapshot=on,cache=unsafe`];
}

function boot({ name, kernel, isLater }: Machine, files: MachineFiles): readonly string[] {
  const words = [
    ...["console=ttyS0", "quiet", "panic=-1", "root=/dev/nvme0n1", "rw", ...kernel],
    ...[
      `bunker.machine=${name}`,
      `bunker.test_ms=${TEST_MS_MAX}`,
      `bunker.suite_seconds=${SUITE_SECONDS_MAX}`,
    ],
  ];
  const image = isLater ? files.laterKernel : files.kernel;
  if (image === undefined) throw new Error(`Cannot start "${name}": there is no later kernel`);
  return ["-kernel", image, "-append", words.join(" ")];
}

/** A serial line ends its lines as a typewriter does. */
function readText(path: string): string {
  return readFileSync(path, "utf8").replaceAll("\r", "");
}
