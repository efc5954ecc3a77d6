/**
 * `--explain` of create and run: the program of a container in words, and nothing of it done. What the plan needs of the
 * machine is opened and closed again; descriptors that would be inherited have the numbers that they would have.
 */

import { CLONE_NEWUSER } from "../../linux/abi/sched.ts";
import { explainProgram } from "../../linux/explain.ts";
import { inheritedFd, programWithReport } from "../../linux/spawn.ts";
import { type BundleFds, planBundle } from "../../runtime/bundle_plan.ts";
import { NAMESPACE_FLAGS, namespacePlanOf, separateFlags } from "../../runtime/namespaces.ts";
import { cgroupViewOf } from "../../runtime/rootfs/cgroup_view.ts";
import { type PreparedRoot, prepareBundleRoot } from "../../runtime/rootfs/prepare_root.ts";
import { type Bundle, openBundle } from "./bundle.ts";
import { cgroupPlaceOf } from "./cgroup_place.ts";
import { hostOf, type PlannedLaunch, rootRequestOf, viewerOf } from "./compile.ts";
import { checkId } from "./container_id.ts";
import type { RuntimeContext } from "./context.ts";
import type { LaunchOptions } from "./launch.ts";

/** How the container would be made. */
export interface Explanation {
  /** It waits for start. */
  readonly waits: boolean;
  readonly context: RuntimeContext;
}

/** Every system call that would make container `id`, as text. @throws {ConfigError} {RuntimeError} as create does. */
export async function explainBundle(
  id: string,
  options: LaunchOptions,
  { waits, context }: Explanation,
): Promise<string> {
  checkId(id);
  const bundle = openBundle(options.bundle, options.configFile);
  const namespaces = namespacePlanOf(bundle.config.linux ?? {});
  const launch = {
    id,
    bundle,
    options,
    namespaces,
    userNamespace: (separateFlags(namespaces) & CLONE_NEWUSER) !== 0,
  };
  const place = cgroupPlaceOf(id, bundle, context);
  const numbers = new Numbers();
  const fds = numberFds(bundle, { numbers, waits, joins: namespaces.joins.length, options });
  const keptFds = [fds.socket, fds.fifo ?? fds.socket] as const;
  const view = cgroupViewOf(place, viewerOf(launch));
  using root = await prepareRoot(launch, { view, numbers });
  for (const _ of root.inherit) numbers.next();
  const cgroup = [...new Set(Object.values(place.directories))].map(() => numbers.next());
  const inputs = { fds: { ...fds, cgroup }, root: root.host, keptFds, engineJoinsCgroup: false };
  const program = programWithReport();
  planBundle(program, bundle.config, await hostOf(launch, inputs));
  return `${clonesOf(namespaces)}${explainProgram(program)}`;
}

/** Hands out the numbers of inherited descriptors. */
class Numbers {
  count = 0;

  next(): number {
    return inheritedFd(this.count++);
  }
}

interface Numbering {
  readonly numbers: Numbers;
  readonly waits: boolean;
  readonly joins: number;
  readonly options: LaunchOptions;
}

/** In the order of launch_program.ts. */
function numberFds(
  { config }: Bundle,
  { numbers, waits, joins, options }: Numbering,
): Omit<BundleFds, "cgroup"> {
  const { hooks = {} } = config;
  const socket = numbers.next();
  const fifo = waits ? numbers.next() : undefined;
  const startState = (hooks.startContainer ?? []).length > 0 ? numbers.next() : undefined;
  const createState = (hooks.createContainer ?? []).length > 0 ? numbers.next() : undefined;
  return {
    socket,
    fifo,
    startState,
    createState,
    joins: Array.from({ length: joins }, () => numbers.next()),
    console: options.consoleSocket === undefined ? socket : numbers.next(),
  };
}

interface RootInputs {
  readonly view: ReturnType<typeof cgroupViewOf>;
  readonly numbers: Numbers;
}

function prepareRoot(launch: PlannedLaunch, { view, numbers }: RootInputs): Promise<PreparedRoot> {
  return prepareBundleRoot(launch.bundle.config, {
    ...rootRequestOf(launch),
    cgroup: view,
    firstInherited: numbers.count,
    programFile: `${launch.bundle.directory}/.program`,
  });
}

/** What the first clone3(2) makes, which is no step of the program. */
function clonesOf({ made, staged }: ReturnType<typeof namespacePlanOf>): string {
  if (staged) return "";
  const names = Object.entries(NAMESPACE_FLAGS).filter(([, flag]) => (made & flag) !== 0);
  return `# made by clone3(2) with the process: ${names.map(([name]) => name).join(", ") || "no namespace"}\n\n`;
}
