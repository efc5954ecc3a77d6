/** What of the host the process of a container depends on: the same for `create` and `exec`. */
import type { Linux, Process } from "../../oci/bundle/config.ts";
import type { SecurityModules } from "../../runtime/process/labels.ts";
import type { ProcessHost } from "../../runtime/process_plan.ts";
import { ALL_CAPABILITIES } from "../../runtime/security/capability.ts";
import { readHostStatus } from "../host.ts";
import { filterOf } from "./filter_cache.ts";

/** What is asked about. */
export interface ProcessRequest {
  readonly process: Process;
  readonly linux: Linux;
  /** The runtime's root, where compiled filters are kept; undefined: nowhere. */
  readonly root: string | undefined;
  readonly preserveFds: number;
  readonly keptFds: readonly [first: number, last: number];
  /** The process is in a user namespace other than this one's. */
  readonly userNamespace: boolean;
  readonly setgroupsAllowed: boolean;
  /** Is told what of the configuration is left out [nobody]. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Looks at this process and at the kernel once. */
export async function processHostOf(request: ProcessRequest): Promise<ProcessHost> {
  const { process, linux, userNamespace } = request;
  const status = readHostStatus();
  const labelled = (process.apparmorProfile ?? "") !== "" || (process.selinuxLabel ?? "") !== "";
  return {
    preserveFds: request.preserveFds,
    keptFds: request.keptFds,
    ignoredSignals: status.ignoredSignals,
    hostBounding: userNamespace ? ALL_CAPABILITIES : status.bounding,
    setgroupsAllowed: request.setgroupsAllowed,
    modules: labelled ? await securityModules() : { apparmor: false, selinux: false },
    appliedFromHost: userNamespace,
    warn: request.warn,
    filter: linux.seccomp === undefined ? undefined : await filterOf(linux.seccomp, request.root),
  };
}

async function securityModules(): Promise<SecurityModules> {
  const { readSecurityModules } = await import("../../runtime/process/labels.ts");
  return readSecurityModules();
}
