/** Whether it was the seccomp filter that kept a command from running: asked after a failure only. */
import { Step, type StepName } from "../../linux/step.ts";
import type { Linux } from "../../oci/bundle/config.ts";
import type { FailedStep } from "./start_error.ts";

/** A sentence that names the refused call; undefined when it was not the filter. */
export async function seccompReason(
  { seccomp }: Linux,
  failed: Pick<FailedStep, "call" | "errno"> | "killed",
): Promise<string | undefined> {
  if (seccomp === undefined) return undefined;
  const [{ bundleFilter }, { explainSeccomp }] = await Promise.all([
    import("../../runtime/security/bundle_filter.ts"),
    import("../../runtime/security/explain_seccomp.ts"),
  ]);
  const { filter } = bundleFilter(seccomp);
  // What the loop calls has the name of the call; arguments that a filter would look at are known to it alone.
  const step = (text: string) => new Step((/^[a-z0-9_]+/.exec(text)?.[0] ?? "execve") as StepName, [], "");
  return failed === "killed"
    ? explainSeccomp(filter, { steps: [step("execve")] })
    : explainSeccomp(filter, { step: step(failed.call), errno: failed.errno });
}
