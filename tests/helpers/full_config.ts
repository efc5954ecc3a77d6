/** A configuration that has every section of runtime-spec 1.3 for Linux, without a fault: the start of fuzzing. */

import { changed } from "../unit/oci/bundle/valid_config.ts";

const MAPS = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 100_000, size: 65_535 },
];

/** A new copy at each call. */
export function fullConfig(): object {
  const types = ["time", "mount", "cgroup", "uts", "ipc", "user", "pid", "network"];
  return changed({
    domainname: "example.org",
    "root.readonly": true,
    "process.terminal": true,
    "process.consoleSize": { height: 24, width: 80 },
    "process.user": { uid: 1, gid: 1, umask: 18, additionalGids: [5, 6] },
    "process.apparmorProfile": "profile",
    "process.selinuxLabel": "system_u:system_r:svirt_lxc_net_t:s0:c124,c675",
    "process.noNewPrivileges": true,
    "process.scheduler": {
      policy: "SCHED_DEADLINE",
      flags: ["SCHED_FLAG_RECLAIM"],
      runtime: 1,
      deadline: 2,
      period: 3,
    },
    "process.ioPriority": { class: "IOPRIO_CLASS_IDLE", priority: 4 },
    "process.execCPUAffinity": { initial: "7", final: "0-3,7" },
    "mounts.2": {
      destination: "id",
      source: "/srv",
      options: ["bind", "idmap"],
      uidMappings: MAPS,
      gidMappings: MAPS,
    },
    "hooks.createRuntime": [{ path: "/bin/true", args: ["true", "a"], env: ["A=1"], timeout: 1 }],
    "linux.namespaces": types.map((type) => ({ type })),
    "linux.uidMappings": MAPS,
    "linux.gidMappings": MAPS,
    "linux.timeOffsets": { monotonic: { secs: 172_800, nanosecs: 0 }, boottime: { secs: -5 } },
    "linux.netDevices": { eth0: { name: "container_eth0" }, ens4: {} },
    "linux.cgroupsPath": "/group/container",
    "linux.resources.memory": {
      limit: 100,
      reservation: 50,
      swap: 200,
      kernel: -1,
      kernelTCP: -1,
      swappiness: 10,
    },
    "linux.resources.cpu": {
      shares: 1024,
      quota: 1_000_000,
      burst: 1000,
      period: 500_000,
      cpus: "2-3",
      mems: "0",
      idle: 0,
    },
    "linux.resources.blockIO": {
      weight: 10,
      leafWeight: 10,
      weightDevice: [{ major: 8, minor: 0, weight: 500, leafWeight: 300 }],
      throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
      throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
    },
    "linux.resources.hugepageLimits": [{ pageSize: "2MB", limit: 209_715_200 }],
    "linux.resources.network": { classID: 1_048_577, priorities: [{ name: "eth0", priority: 500 }] },
    "linux.resources.rdma": { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } },
    "linux.intelRdt": { closID: "guaranteed", schemata: ["L3:0=7f0;1=1f"], enableMonitoring: true },
    "linux.memoryPolicy": { mode: "MPOL_INTERLEAVE", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] },
    "linux.rootfsPropagation": "slave",
    "linux.mountLabel": "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811",
    "linux.personality": { domain: "LINUX32" },
  });
}
