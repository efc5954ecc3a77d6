/** Plans and encodes the program of a container: loaded only where no kept one serves. */
import { FIRST_ADDRESS } from "../../linux/elf.ts";
import { type EncodedProgram, encodeProgram } from "../../linux/encode.ts";
import { finishProgram, programWithReport } from "../../linux/spawn.ts";
import type { RuntimeConfig } from "../../oci/bundle/config.ts";
import { type BundleHost, planBundle } from "../../runtime/bundle_plan.ts";
import type { LateStep } from "./state_file.ts";

/** A program as bytes, and its steps after the release. */
export interface PlannedProgram {
  readonly encoded: EncodedProgram;
  readonly lateSteps: readonly LateStep[];
}

/** Plans it. @throws {UsageError} {ConfigError} for what cannot be honoured. */
export function planProgram(config: RuntimeConfig, host: BundleHost): PlannedProgram {
  const program = programWithReport();
  const released = planBundle(program, config, host);
  const encoded = encodeProgram(finishProgram(program), FIRST_ADDRESS);
  const lateSteps = program.steps.slice(released).map(({ name, purpose }, index) => ({
    address: encoded.addressOfStep(released + index),
    call: name,
    purpose,
  }));
  return { encoded, lateSteps };
}
