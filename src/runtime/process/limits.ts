/** Resource limits of the command: prlimit(2). */
import type { Program } from "../../linux/program.ts";
import type { Int64, Rlimit as NamedRlimit } from "../../oci/bundle/config.ts";
import { findRlimit } from "../security/rlimit.ts";
import type { Rlimit } from "../spec/config.ts";
import { refuse } from "./refusal.ts";

/** One prlimit(2), values as the kernel takes them. */
export interface LimitStep {
  /** RLIMIT_* */
  readonly resource: number;
  readonly soft: Int64;
  readonly hard: Int64;
}

/** struct rlimit64: soft, hard; -1 is RLIM_INFINITY. */
export function planLimits(program: Program, rlimits: readonly (Rlimit | LimitStep)[]): void {
  program.section("set resource limits");
  for (const { resource, soft, hard } of rlimits) program.prlimit64(0, resource, program.words(soft, hard));
}

/** The limits of a bundle by number. @throws {ConfigError} for a name that Linux does not have. */
export function limitSteps(rlimits: readonly NamedRlimit[] = []): LimitStep[] {
  return rlimits.map(({ type, soft, hard }, index) => {
    const field = { path: `process.rlimits[${index}].type`, section: "config.md#posix-process" };
    const resource = findRlimit(type) ?? refuse(field, `Linux has no limit "${type}"`);
    return { resource, soft, hard };
  });
}
