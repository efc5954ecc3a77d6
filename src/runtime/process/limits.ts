/** Resource limits of the command: prlimit(2). */
import type { Program } from "../../linux/program.ts";
import type { Rlimit } from "../spec/config.ts";

/** struct rlimit64: soft, hard; -1 is RLIM_INFINITY. */
export function planLimits(program: Program, rlimits: readonly Rlimit[]): void {
  program.section("set resource limits");
  for (const { resource, soft, hard } of rlimits) program.prlimit64(0, resource, program.words(soft, hard));
}
