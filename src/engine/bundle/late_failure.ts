/**
 * What went wrong after the program of a created container was let go: the page that it shared with the engine says at
 * which step, and state.json what that step was.
 */
import { errnoName } from "../../linux/abi/errno.ts";
import { call } from "../../linux/call.ts";
import { openSharedPage } from "../../linux/memfd.ts";
import { report } from "../../linux/program_core.ts";
import type { Linux } from "../../oci/bundle/config.ts";
import { parseConfig } from "../../oci/bundle/parse.ts";
import { formatHookFailure, readHookFailure } from "../../runtime/process/hook_report.ts";
import { RuntimeError } from "./context.ts";
import { seccompReason } from "./seccomp_reason.ts";
import { stepError } from "./start_error.ts";
import { isEnding } from "./state.ts";
import { readConfigFile, type StateFile } from "./state_file.ts";

/** Does nothing when all went well. @throws {RuntimeError} that names the step. */
export async function lateFailure(directory: string, file: StateFile): Promise<void> {
  const page = openSharedPage(`${directory}/report`, report.size);
  try {
    const view = new DataView(page.bytes.buffer);
    if (view.getUint32(report.failed, true) === 0) return await checkKilled(directory, file);
    const hook = readHookFailure(page.bytes);
    if (hook !== undefined) throw new RuntimeError(formatHookFailure(hook));
    const address = view.getUint32(report.failure, true);
    const errno = -view.getInt32(report.failure + 8, true);
    const step = file.lateSteps.findLast((late) => late.address <= address);
    if (step === undefined) throw new RuntimeError(`cannot start the container: ${errnoName(errno)}`);
    const reason = await seccompReason(linuxOf(directory), { ...step, errno });
    throw stepError({ ...step, errno, ...(reason === undefined ? {} : { reason }) }, file.process);
  } finally {
    call("munmap", page.address, page.bytes.length);
    call("close", page.fd);
  }
}

/** A filter that kills leaves no report: the process goes, and the filter says why. */
async function checkKilled(directory: string, file: StateFile): Promise<void> {
  if (!file.filtered || !isEnding(file)) return;
  const reason = await seccompReason(linuxOf(directory), "killed");
  if (reason !== undefined) throw new RuntimeError(`cannot execute the command: ${reason}`);
}

const linuxOf = (directory: string): Linux => parseConfig(readConfigFile(directory)).linux ?? {};
