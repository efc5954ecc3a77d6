/**
 * `features` (features.md): what the runtime can do, for engines that ask before they use it. Lists come from the tables
 * that the code itself works with.
 */
import { version } from "../../../package.json";
import { EFAULT } from "../../linux/abi/errno.ts";
import {
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_SET_MODE_FILTER,
} from "../../linux/abi/seccomp.ts";
import { callRaw } from "../../linux/call.ts";
import { HOOK_KINDS, NAMESPACE_TYPES } from "../../oci/bundle/config.ts";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "../../oci/bundle/memory_policy.ts";
import { mountOptionNames } from "../../runtime/rootfs/mount_options.ts";
import { ALL_CAPABILITIES, capabilityNames } from "../../runtime/security/capability.ts";
import { SECCOMP_ARCHES } from "../../runtime/security/seccomp_arch.ts";
import { SECCOMP_ACTIONS, SECCOMP_OPERATORS } from "../../runtime/security/seccomp_profile.ts";
import { SECCOMP_FLAGS } from "../../runtime/security/seccomp_resolve.ts";
import { findCriu } from "./criu.ts";
import { RUNTIME_SPEC_VERSION } from "./runtime_spec.ts";

/** Oldest version of the specification that is spoken. */
const VERSION_MIN = "1.0.0";

/** Annotations that change what happens outside of the container. */
const UNSAFE_ANNOTATIONS = ["org.systemd.property."];

/** The document, with the keys in the order of features.md. */
export function readFeatures(): object {
  return {
    ociVersionMin: VERSION_MIN,
    ociVersionMax: RUNTIME_SPEC_VERSION,
    hooks: HOOK_KINDS,
    mountOptions: mountOptionNames(),
    linux: linuxFeatures(),
    annotations: {
      "org.opencontainers.runc.checkpoint.enabled": String(findCriu() !== undefined),
      "bunker.version": version,
    },
    potentiallyUnsafeConfigAnnotations: UNSAFE_ANNOTATIONS,
  };
}

const linuxFeatures = (): object => ({
  namespaces: NAMESPACE_TYPES.toSorted(),
  capabilities: capabilityNames(ALL_CAPABILITIES),
  cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
  seccomp: {
    enabled: true,
    actions: SECCOMP_ACTIONS.toSorted(),
    operators: SECCOMP_OPERATORS.toSorted(),
    archs: Object.keys(SECCOMP_ARCHES)
      .map((name) => `SCMP_ARCH_${name}`)
      .sort(),
    knownFlags: Object.keys(SECCOMP_FLAGS).sort(),
    supportedFlags: Object.keys(SECCOMP_FLAGS).filter(isSupported).sort(),
  },
  apparmor: { enabled: true },
  selinux: { enabled: true },
  intelRdt: { enabled: true, schemata: true, monitoring: true },
  memoryPolicy: { modes: MEMORY_POLICY_MODES, flags: MEMORY_POLICY_FLAGS },
  mountExtensions: { idmap: { enabled: true } },
  netDevices: { enabled: true },
});

/** A flag that the kernel knows gets as far as the missing filter; one of them is for filters with a listener only. */
function isSupported(name: string): boolean {
  const flag = SECCOMP_FLAGS[name] ?? 0;
  const listener = flag === SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  return callRaw("seccomp", SECCOMP_SET_MODE_FILTER, flag | listener, null) === -EFAULT;
}
