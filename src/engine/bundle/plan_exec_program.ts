/** Plans and encodes the program of `exec`: loaded only where no kept one serves. */
import { FIRST_ADDRESS } from "../../linux/elf.ts";
import { encodeProgram } from "../../linux/encode.ts";
import { finishProgram, programWithReport } from "../../linux/spawn.ts";
import type { Process } from "../../oci/bundle/config.ts";
import { type ExecHost, planExec } from "../../runtime/exec_plan.ts";
import type { PlannedProgram } from "./plan_program.ts";

/** Plans it. @throws {ConfigError} for what cannot be honoured. */
export function planExecProgram(process: Process, host: ExecHost): PlannedProgram {
  const program = programWithReport();
  planExec(program, process, host);
  return { encoded: encodeProgram(finishProgram(program), FIRST_ADDRESS), lateSteps: [] };
}
