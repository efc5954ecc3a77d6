/**
 * Kernel parameters of the container's namespaces: config-linux.md#sysctl. Written through a whole private procfs, which
 * shows the namespaces of the process that opens a file, and read back: a container must not start with another value
 * than it was promised (CVE-2025-52881).
 */
import { EXDEV } from "../../linux/abi/errno.ts";
import { O_RDONLY, O_WRONLY } from "../../linux/abi/fcntl.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import { sysctlPath } from "../../oci/bundle/sysctl.ts";
import { openInProc, planCompare } from "./private_proc.ts";
import { refuse } from "./refusal.ts";

/**
 * Sets the parameters, in the order of their names in the configuration.
 * @param proc a whole procfs, from planPrivateProc().
 * @throws {ConfigError} for what is no name of a parameter.
 */
export function planSysctls(
  program: Program,
  sysctls: Readonly<Record<string, string>>,
  proc: Variable,
): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const path = sysctlPath(name);
    if (path === undefined) {
      refuse({ path: `linux.sysctl.${name}`, section: "config-linux.md#sysctl" }, "no kernel parameter");
    }
    program.section(`set the kernel parameter "${name}" to "${value}"`);
    const file = openInProc(program, { proc, path: `sys/${path}` }, O_WRONLY).result;
    program.write(file, value, Buffer.byteLength(value));
    program.close(file);
    const expected = shownAs(path, value);
    if (expected !== undefined) planReadBack(program, { proc, path: `sys/${path}` }, expected);
  }
}

/**
 * What a file shows after `value` has been written: numbers, parted by tabs. Undefined for what the kernel may show
 * differently: words, and times, which it rounds to its own ticks.
 */
export function shownAs(path: string, value: string): string | undefined {
  const words = value.trim().split(/\s+/);
  const plain = words.every((word) => /^(0|-?[1-9]\d*)$/.test(word));
  return plain && !/(_ms|_time|_timeout|_interval|_delay|_centisecs|flush)$/.test(path)
    ? words.join("\t")
    : undefined;
}

function planReadBack(
  program: Program,
  file: { readonly proc: Variable; readonly path: string },
  expected: string,
): void {
  const room = program.room(expected.length + 16);
  const done = program.label();
  const opened = openInProc(program, file, O_RDONLY).result;
  program.read(opened, room, expected.length + 1);
  program.close(opened);
  // A file of several numbers goes on when fewer have been written.
  for (const end of ["\n", "\t"]) {
    const next = program.label();
    planCompare(program, room, { expected: new TextEncoder().encode(expected + end), otherwise: next });
    program.jump(done);
    program.place(next);
  }
  program.fail(EXDEV);
  program.place(done);
}
