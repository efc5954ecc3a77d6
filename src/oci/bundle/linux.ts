/** `linux` (config-linux.md): its fields, and the rules between them that namespaces make. */

import { show } from "../json.ts";
import { type Linux, NAMESPACE_TYPES, type Namespace, type NamespaceType } from "./config.ts";
import { devices } from "./devices.ts";
import { intelRdt } from "./intel_rdt.ts";
import { interfaceName, newInterfaceName } from "./interface_name.ts";
import { judgeMappings, mappings } from "./mappings.ts";
import { memoryPolicy } from "./memory_policy.ts";
import { LABEL_BYTES_MAX, oneLine } from "./process.ts";
import { resources } from "./resources.ts";
import {
  absolutePath,
  anyObject,
  entryPath,
  inSection,
  list,
  map,
  oneOf,
  PATH_BYTES_MAX,
  type Report,
  record,
  type Schema,
  TEXT_BYTES_MAX,
  text,
  whole,
} from "./schema.ts";
import { sysctl, sysctlNamespace, sysctlPath } from "./sysctl.ts";

/** Seconds of the greatest offset of a clock: the kernel's KTIME_SEC_MAX. */
const OFFSET_SECONDS_MAX = 9_223_372_036;
const NANOSECONDS_MAX = 999_999_999;
const NAMESPACES_MAX = 64;
const NET_DEVICES_MAX = 1024;

const NAMESPACES = "config-linux.md#namespaces";
const namespace = record(
  NAMESPACES,
  { type: oneOf(...NAMESPACE_TYPES), path: absolutePath },
  { required: ["type"] },
);

const TIME = "config-linux.md#offset-for-time-namespace";
const offset = record(TIME, {
  secs: whole(-OFFSET_SECONDS_MAX, OFFSET_SECONDS_MAX),
  nanosecs: whole(0, NANOSECONDS_MAX),
});
const timeOffsets = map(offset, (clock) =>
  clock === "boottime" || clock === "monotonic"
    ? undefined
    : "only the clocks boottime and monotonic have offsets",
);

const personality = record(
  "config-linux.md#personality",
  {
    domain: oneOf("LINUX", "LINUX32"),
    // The specification has none so far, and some of the kernel's weaken the process.
    flags: list(text(TEXT_BYTES_MAX, () => "the specification has no flags of a personality")),
  },
  { required: ["domain"] },
);

const netDevices: Schema = map(
  record("config-linux.md#network-devices", { name: text(TEXT_BYTES_MAX, newInterfaceName) }),
  interfaceName,
  NET_DEVICES_MAX,
);

const cgroupsPath = text(PATH_BYTES_MAX, (path) =>
  path.split("/").includes("..") ? 'it has a ".." in it' : oneLine(path),
);

/** config-linux.md */
export const linux = record<Linux>(
  "config-linux.md",
  {
    namespaces: inSection("config-linux.md#namespaces", list(namespace, NAMESPACES_MAX)),
    uidMappings: inSection("config-linux.md#user-namespace-mappings", mappings),
    gidMappings: inSection("config-linux.md#user-namespace-mappings", mappings),
    timeOffsets: inSection("config-linux.md#offset-for-time-namespace", timeOffsets),
    devices: inSection("config-linux.md#devices", devices),
    netDevices: inSection("config-linux.md#network-devices", netDevices),
    cgroupsPath: inSection("config-linux.md#cgroups-path", cgroupsPath),
    resources,
    intelRdt,
    memoryPolicy,
    sysctl: inSection("config-linux.md#sysctl", sysctl),
    seccomp: inSection("config-linux.md#seccomp", anyObject),
    rootfsPropagation: inSection(
      "config-linux.md#rootfs-mount-propagation",
      oneOf("shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"),
    ),
    maskedPaths: inSection("config-linux.md#masked-paths", list(absolutePath)),
    readonlyPaths: inSection("config-linux.md#readonly-paths", list(absolutePath)),
    mountLabel: inSection("config-linux.md#mount-label", text(LABEL_BYTES_MAX, oneLine)),
    personality,
  },
  {
    needs: ["namespaces"],
    rule(linux, report) {
      checkNamespaces(linux, report);
      checkMappings(linux, report);
      checkTimeOffsets(linux, report);
      checkNetDevices(linux, report);
      checkSysctl(linux, report);
      checkHiddenPaths(linux, report);
    },
  },
);

/** The namespaces of a configuration by type: `new`, `joined`, or absent. */
export function namespaceOf(linux: Linux, type: NamespaceType): "new" | "joined" | undefined {
  for (const namespace of linux.namespaces ?? []) {
    if (namespace.type === type) return namespace.path === undefined ? "new" : "joined";
  }
  return undefined;
}

function checkNamespaces({ namespaces = [] }: Linux, report: Report): void {
  const seen = new Set<string>();
  for (let index = 0; index < namespaces.length; index++) {
    const { type } = namespaces[index] as Namespace;
    if (seen.has(type)) {
      report(`namespaces[${index}].type`, `the ${type} namespace is given twice`, NAMESPACES);
    }
    seen.add(type);
  }
}

function checkMappings(linux: Linux, report: Report): void {
  const user = namespaceOf(linux, "user");
  for (const field of ["uidMappings", "gidMappings"] as const) {
    const maps = linux[field] ?? [];
    let complaint: string | undefined;
    if (user === undefined && maps.length > 0) complaint = "there is no user namespace to map ids in";
    else if (user === "new" && maps.length === 0) complaint = "a new user namespace needs mappings";
    else if (maps.length > 1) complaint = judgeMappings(maps);
    if (complaint !== undefined) report(field, complaint, "config-linux.md#user-namespace-mappings");
  }
}

function checkTimeOffsets(linux: Linux, report: Report): void {
  const { timeOffsets } = linux;
  if (timeOffsets === undefined || Object.keys(timeOffsets).length === 0) return;
  const time = namespaceOf(linux, "time");
  if (time === undefined) report("timeOffsets", "there is no time namespace to set clocks in", TIME);
  else if (time === "joined")
    report("timeOffsets", "the clocks of a joined time namespace cannot be set", TIME);
}

function checkNetDevices(linux: Linux, report: Report): void {
  const { netDevices } = linux;
  if (netDevices === undefined) return;
  const section = "config-linux.md#network-devices";
  const names = Object.keys(netDevices);
  if (names.length > 0 && namespaceOf(linux, "network") === undefined) {
    report("netDevices", "there is no network namespace to move interfaces to", section);
  }
  const targets = new Set<string>();
  for (const name of names) {
    const target = netDevices[name]?.name ?? name;
    if (targets.has(target) && !target.endsWith("%d"))
      report(entryPath("netDevices", name), `two interfaces get the name ${show(target)}`, section);
    targets.add(target);
  }
}

function checkSysctl(linux: Linux, report: Report): void {
  for (const name of Object.keys(linux.sysctl ?? {})) {
    const needed = sysctlNamespace(sysctlPath(name) ?? "");
    if (needed === undefined || namespaceOf(linux, needed) !== undefined) continue;
    const field = entryPath("sysctl", name);
    report(field, `without a ${needed} namespace it would change the host`, "config-linux.md#sysctl");
  }
}

function checkHiddenPaths(linux: Linux, report: Report): void {
  if (namespaceOf(linux, "mount") !== undefined) return;
  const message = "without a mount namespace the host would lose the paths";
  if (linux.maskedPaths?.length) report("maskedPaths", message, "config-linux.md#masked-paths");
  if (linux.readonlyPaths?.length) report("readonlyPaths", message, "config-linux.md#readonly-paths");
}
