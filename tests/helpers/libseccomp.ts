/** libseccomp through Python's ctypes: the program that the library makes of a policy, as a test oracle. */

import { SECCOMP_ARCHES } from "../../src/runtime/security/seccomp_arch.ts";
import type { Policy, SeccompArchName } from "../../src/runtime/security/seccomp_policy.ts";
import { type Instruction, readProgram } from "./bpf_program.ts";

const SCRIPT = new URL("libseccomp_export.py", import.meta.url).pathname;

/** The library's own token: x86-64 without the mark of 64 bits. */
const SCMP_ARCH_X32 = 0x4000_003e;

/** libseccomp 2.5.4 never comes back from some overlapping rules. */
const ORACLE_MS = 60_000;

/** A policy for a single architecture. */
export interface OraclePolicy extends Omit<Policy, "architectures"> {
  readonly arch: SeccompArchName;
}

/** Why the oracle cannot be asked here, or undefined when it can. */
export function libseccompMissing(): string | undefined {
  if (Bun.which("python3") === null) return "python3 is not installed";
  const probe = Bun.spawnSync(["python3", "-c", "import ctypes; ctypes.CDLL('libseccomp.so.2')"]);
  return probe.exitCode === 0 ? undefined : "libseccomp.so.2 is not installed";
}

/**
 * Compiles each policy with libseccomp.
 * @throws {Error} when the library refuses one of them.
 */
export async function compileWithLibseccomp(policies: readonly OraclePolicy[]): Promise<Instruction[][]> {
  const child = Bun.spawn(["python3", SCRIPT], {
    stdin: new Blob([JSON.stringify(policies.map(encode))]),
    timeout: ORACLE_MS,
  });
  const answers = (await new Response(child.stdout).json()) as { program?: string; error?: string }[];
  return answers.map(({ program, error }, index) => {
    if (program === undefined) throw new Error(`Cannot compile policy ${index} with libseccomp: ${error}`);
    return readProgram(new Uint8Array(Buffer.from(program, "base64")));
  });
}

function encode({ arch, defaultReturn, rules }: OraclePolicy): unknown {
  return {
    arch: arch === "X32" ? SCMP_ARCH_X32 : SECCOMP_ARCHES[arch].auditArch,
    default: defaultReturn,
    rules: rules.flatMap(({ names, ret, conditions }) =>
      names.map((name) => ({
        name,
        ret,
        conditions: conditions.map(({ index, op, value, valueTwo }) => [
          index,
          op,
          `${value}`,
          `${valueTwo}`,
        ]),
      })),
    ),
  };
}
