/** `info`: what this machine allows, what bunker makes of it, and why it is not better. Leaves nothing behind. */
import { accessSync, constants, existsSync, mkdtempSync, readFileSync } from "node:fs";
import { arch, cpus, release, tmpdir, totalmem } from "node:os";
import { dirname } from "node:path";
import { version } from "../../package.json";
import { removeTree } from "../fs/remove_tree.ts";
import { whyNoImages } from "../image/erofs/layer_form.ts";
import { errnoName } from "../linux/abi/errno.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { SECCOMP_RET_ERRNO } from "../linux/abi/seccomp.ts";
import { call, callRaw } from "../linux/call.ts";
import { createExecutableMemfd } from "../linux/memfd.ts";
import { createCgroup } from "../runtime/cgroup/cgroup.ts";
import { CgroupError } from "../runtime/cgroup/cgroup_error.ts";
import { CGROUP_ROOT } from "../runtime/cgroup/hierarchies.ts";
import { ALL_CAPABILITIES, capabilityNames, planCapabilities } from "../runtime/security/capability.ts";
import type { IdMapping, Resources } from "../runtime/spec/config.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import { isolationEntries } from "./grade.ts";
import { type HostStatus, readHostStatus } from "./host.ts";
import { probeKernel } from "./probe.ts";
import { registrySection } from "./registry_info.ts";
import { type IdMaps, idMapsOfUser } from "./rootless.ts";
import type { EngineInfo, InfoEntry, InfoSection } from "./summary.ts";

const SECCOMP_GET_ACTION_AVAIL = 2;

/** Looks at the machine, and tries what containers need. */
export async function info(context: EngineContext): Promise<EngineInfo> {
  const status = readHostStatus();
  const idMaps = status.root ? undefined : idMapsOfUser();
  const sections = [
    machine(),
    await isolation(context, idMaps),
    {
      title: "Network",
      entries: [{ name: "default", value: "host", reason: "private networks come later" }],
    },
    await registrySection(context),
    limits(),
    security(status, idMaps),
    users(idMaps),
    directories(context),
  ];
  return { sections };
}

function machine(): InfoSection {
  return {
    title: "Engine",
    entries: [
      { name: "version", value: version },
      { name: "kernel", value: release() },
      { name: "architecture", value: arch() === "x64" ? "amd64" : arch() },
      { name: "processors", value: cpus().length },
      { name: "memory", value: `${Math.round(totalmem() / 2 ** 20)} MiB` },
    ],
  };
}

async function isolation(context: EngineContext, idMaps: IdMaps | undefined): Promise<InfoSection> {
  const maps = idMaps && { uidMappings: idMaps.uids, gidMappings: idMaps.gids };
  const probe = await probeKernel(probePlace(dataRoot(context)), maps);
  const memfd = executableMemfds();
  return {
    title: "Isolation",
    entries: [
      ...isolationEntries(probe),
      {
        name: "layers are given to overlayfs",
        value: probe.appendLayers === undefined ? "one by one" : "in one string",
        reason: probe.appendLayers && `lowerdir+: ${probe.appendLayers}`,
      },
      await layerForm(context, idMaps),
      {
        name: "container program",
        value: memfd ? "sealed memory" : "file in the state directory",
        reason: memfd ? undefined : "vm.memfd_noexec forbids to execute memory",
      },
    ],
  };
}

/** What the configuration asks for, and what comes of it. */
async function layerForm(context: EngineContext, idMaps: IdMaps | undefined): Promise<InfoEntry> {
  const entry = { name: "layers are kept as", value: "directories" };
  if (readConfiguration(context).layers !== "erofs") return entry;
  if (idMaps !== undefined) return { ...entry, reason: "only root can mount EROFS images" };
  const directory = mkdtempSync(`${probePlace(dataRoot(context))}/.bunker-probe-`);
  try {
    const failure = await whyNoImages(`${directory}/images`);
    if (failure === undefined) return { ...entry, value: "EROFS images" };
    return { ...entry, reason: `EROFS images: ${errnoName(failure.errno)}` };
  } finally {
    removeTree({ dirfd: AT_FDCWD, path: directory });
  }
}

/** The nearest directory that exists and may be written to: its filesystem is the data root's. */
function probePlace(root: string): string {
  let place = root;
  while (place !== "/" && !existsSync(place)) place = dirname(place);
  try {
    accessSync(place, constants.W_OK);
    return place;
  } catch {
    // The data root cannot be made; a pull says so, and info is not the place for it.
    return tmpdir();
  }
}

function executableMemfds(): boolean {
  const fd = createExecutableMemfd("probe", new Uint8Array(1));
  if (fd >= 0) call("close", fd);
  return fd >= 0;
}

/** A value for each limit that is far from what a probe could hit. */
const tryResources: Readonly<Record<string, Resources>> = {
  "--memory": { memory: 1 << 30 },
  "--cpus": { cpuQuota: 100_000 },
  "--pids-limit": { pids: 1000 },
};

function limits(): InfoSection {
  const unified = existsSync(`${CGROUP_ROOT}/cgroup.controllers`);
  const present = unified || existsSync(`${CGROUP_ROOT}/pids/cgroup.procs`);
  return {
    title: "Limits",
    entries: [
      { name: "cgroup version", value: present ? (unified ? 2 : 1) : "none" },
      { name: "cgroup driver", value: "cgroupfs" },
      ...Object.entries(tryResources).map(([name, resources]) => limitEntry(name, resources)),
    ],
  };
}

function limitEntry(name: string, resources: Resources): InfoEntry {
  const required = new Set(Object.keys(resources) as (keyof Resources)[]);
  try {
    const cgroup = createCgroup({ id: `probe-${process.pid}`, resources, required, deviceRules: [] });
    cgroup.close();
    cgroup.remove();
    return { name, value: "available" };
  } catch (error) {
    if (!(error instanceof CgroupError)) throw error;
    return { name, value: "not available", reason: (error.cause as Error).message };
  }
}

function security({ bounding }: HostStatus, idMaps: IdMaps | undefined): InfoSection {
  const hostBounding = idMaps === undefined ? bounding : ALL_CAPABILITIES;
  const plan = planCapabilities({ add: [], drop: [], privileged: false, hostBounding });
  const withheld = capabilityNames(ALL_CAPABILITIES & ~hostBounding);
  return {
    title: "Security",
    entries: [
      { name: "capabilities", value: capabilityNames(plan.bounding) },
      { name: "capabilities not to be had", value: withheld },
      { name: "seccomp", ...seccomp() },
      { name: "no new privileges", value: true },
      { name: "outer sandbox", value: outerSandbox() },
    ],
  };
}

function seccomp(): Pick<InfoEntry, "value" | "reason"> {
  const action = new Uint8Array(Uint32Array.of(SECCOMP_RET_ERRNO).buffer);
  const result = callRaw("seccomp", SECCOMP_GET_ACTION_AVAIL, 0, action);
  return result === 0
    ? { value: "default profile" }
    : { value: "not available", reason: "seccomp(2) is refused" };
}

/** What confines this very process: a filter of the container that it runs in, an AppArmor or SELinux label. */
function outerSandbox(): string[] {
  const filtered = /^Seccomp:\t[12]$/m.test(readFileSync("/proc/self/status", "utf8"));
  return [...(filtered ? ["seccomp filter"] : []), ...securityLabel()];
}

function securityLabel(): string[] {
  try {
    const label = readFileSync("/proc/self/attr/current", "utf8").replace(/[\0\n]+$/, "");
    return label === "" || label === "unconfined" ? [] : [label];
  } catch {
    // EINVAL: no security module keeps labels.
    return [];
  }
}

function users(idMaps: IdMaps | undefined): InfoSection {
  if (idMaps === undefined) return { title: "Users", entries: [{ name: "mode", value: "root" }] };
  const missing =
    "no ranges in /etc/subuid and /etc/subgid, or newuidmap is not installed: files keep no owners";
  return {
    title: "Users",
    entries: [
      { name: "mode", value: "rootless" },
      {
        name: "user ids",
        value: idMaps.uids.map(describeMapping),
        reason: idMaps.single ? missing : undefined,
      },
      { name: "group ids", value: idMaps.gids.map(describeMapping) },
    ],
  };
}

const describeMapping = ({ containerID, hostID, size }: IdMapping): string =>
  `${containerID}:${hostID}:${size}`;

function directories(context: EngineContext): InfoSection {
  return {
    title: "Directories",
    entries: [
      { name: "data", value: dataRoot(context) },
      { name: "state", value: stateRoot(context) },
    ],
  };
}
