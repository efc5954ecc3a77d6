/** `--explain`: prints the program of a container instead of running it. */
import { explainProgram } from "../linux/explain.ts";
import { explainableProgram } from "../runtime/compiled_container.ts";
import { CONTAINERS } from "./container_directory.ts";
import { defaultDeviceRules } from "./default_spec.ts";
import { createAttempt } from "./prepare.ts";
import type { ContainerPlan } from "./run_plan.ts";
import type { RunResult } from "./summary.ts";

/** Prints every system call in its order; nothing is made, mounted or started. */
export async function explainRun(plan: ContainerPlan): Promise<RunResult> {
  const name = `${CONTAINERS}/${plan.id.slice(0, 12)}`;
  const attempt = await createAttempt(plan, {
    directory: {
      name,
      path: `${plan.root}/${name}`,
      scratch: `${name}/rw`,
      mayRefuseUpper: false,
      keepUpper: () => undefined,
    },
    cgroup: { procs: [], mounts: [], guardsDevices: defaultDeviceRules.length > 0 },
  });
  const copied = { kind: "directory", directory: `${plan.root}/${name}/root`, mounts: true } as const;
  const program = await explainableProgram(attempt.spec, {
    ...attempt.host,
    root: attempt.overlay ?? copied,
  });
  process.stdout.write(explainProgram(program));
  return { exitCode: 0 };
}
