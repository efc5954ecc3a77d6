/** Rules of config-linux.md: a change of a valid configuration, and the fields that are named for it. */
import type { Case } from "./refused_cases.ts";

const NAMESPACES = [{ type: "mount" }, { type: "uts" }, { type: "ipc" }, { type: "network" }];
const withNamespaces = (...more: readonly object[]): object => ({
  "linux.namespaces": [...NAMESPACES, ...more],
});
const map = (containerID: number, hostID: number, size: number): object => ({ containerID, hostID, size });
const MAP = [map(0, 1000, 1)];
const userNamespace = { "linux.uidMappings": MAP, "linux.gidMappings": MAP };

/** By section. */
export const REFUSED_IN_LINUX: Readonly<Record<string, readonly Case[]>> = {
  namespaces: [
    ["an unknown type", withNamespaces({ type: "net" }) as never, "linux.namespaces[4].type"],
    ["no type", withNamespaces({}) as never, "linux.namespaces[4].type"],
    ["a type twice", withNamespaces({ type: "ipc", path: "/x" }) as never, "linux.namespaces[4].type"],
    ["a relative path", withNamespaces({ type: "pid", path: "ns" }) as never, "linux.namespaces[4].path"],
    ["maps without a user namespace", userNamespace, "linux.uidMappings", "linux.gidMappings"],
    [
      "a new user namespace without maps",
      withNamespaces({ type: "user" }) as never,
      "linux.uidMappings",
      "linux.gidMappings",
    ],
    [
      "a map of no ids",
      { ...withNamespaces({ type: "user" }), ...userNamespace, "linux.uidMappings": [map(0, 0, 0)] },
      "linux.uidMappings[0].size",
    ],
    [
      "a map beyond the last id",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.gidMappings": [map(0, 4_294_967_290, 6)],
      },
      "linux.gidMappings[0].size",
    ],
    [
      "a map beyond the last id of the container",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.uidMappings": [map(4_294_967_290, 0, 6)],
      },
      "linux.uidMappings[0].size",
    ],
    [
      "maps that overlap in the container",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.uidMappings": [map(5, 0, 9), map(0, 100, 6)],
      },
      "linux.uidMappings",
    ],
    [
      "maps that overlap on the host",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.gidMappings": [map(0, 0, 9), map(10, 8, 6)],
      },
      "linux.gidMappings",
    ],
    [
      "341 maps",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.uidMappings": Array.from({ length: 341 }, (_, index) => map(index, index, 1)),
      },
      "linux.uidMappings",
    ],
    ["offsets without a time namespace", { "linux.timeOffsets.boottime": { secs: 1 } }, "linux.timeOffsets"],
    [
      "offsets of a joined time namespace",
      { ...withNamespaces({ type: "time", path: "/x" }), "linux.timeOffsets.boottime": { secs: 1 } },
      "linux.timeOffsets",
    ],
    [
      "an offset of another clock",
      { ...withNamespaces({ type: "time" }), "linux.timeOffsets.realtime": { secs: 1 } },
      "linux.timeOffsets.realtime",
    ],
    [
      "a second of nanoseconds",
      { ...withNamespaces({ type: "time" }), "linux.timeOffsets.monotonic": { nanosecs: 1e9 } },
      "linux.timeOffsets.monotonic.nanosecs",
    ],
    [
      "masks without a mount namespace",
      { "linux.namespaces": NAMESPACES.slice(1) },
      "linux.maskedPaths",
      "linux.readonlyPaths",
    ],
  ],
  sysctl: [
    ["one of the machine", { "linux.sysctl": { "vm.swappiness": "1" } }, 'linux.sysctl["vm.swappiness"]'],
    ["the host name", { "linux.sysctl": { "kernel.hostname": "x" } }, 'linux.sysctl["kernel.hostname"]'],
    [
      "one that climbs",
      { "linux.sysctl": { "net/../kernel/panic": "1" } },
      'linux.sysctl["net/../kernel/panic"]',
    ],
    [
      "one that climbs by dots",
      { "linux.sysctl": { "net.//.kernel.panic": "1" } },
      'linux.sysctl["net.//.kernel.panic"]',
    ],
    ["__proto__", JSON.parse('{"linux.sysctl": {"__proto__": "1"}}'), "linux.sysctl.__proto__"],
    ["a number", { "linux.sysctl": { "net.core.somaxconn": 1 } }, 'linux.sysctl["net.core.somaxconn"]'],
    [
      "those of namespaces that are the host's",
      {
        hostname: undefined,
        "linux.namespaces": [{ type: "mount" }],
        "linux.sysctl": {
          "net.x": "1",
          "kernel.shmmax": "1",
          "fs.mqueue.msg_max": "1",
          "kernel.domainname": "1",
          "user.max_user_namespaces": "1",
        },
      },
      'linux.sysctl["net.x"]',
      'linux.sysctl["kernel.shmmax"]',
      'linux.sysctl["fs.mqueue.msg_max"]',
      'linux.sysctl["kernel.domainname"]',
      'linux.sysctl["user.max_user_namespaces"]',
    ],
  ],
  devices: [
    ["an unknown type", { "linux.devices.0.type": "x" }, "linux.devices[0].type"],
    ["a relative path", { "linux.devices.0.path": "dev/x" }, "linux.devices[0].path"],
    [
      "no numbers",
      { "linux.devices": [{ type: "b", path: "/x" }] },
      "linux.devices[0].major",
      "linux.devices[0].minor",
    ],
    ["a major number that no dev_t holds", { "linux.devices.0.major": 4096 }, "linux.devices[0].major"],
    ["a minor number that no dev_t holds", { "linux.devices.0.minor": 1_048_576 }, "linux.devices[0].minor"],
    [
      "a rule without allow",
      { "linux.resources.devices": [{ access: "r" }] },
      "linux.resources.devices[0].allow",
    ],
    ["a rule for a FIFO", { "linux.resources.devices.0.type": "p" }, "linux.resources.devices[0].type"],
    ["another access", { "linux.resources.devices.0.access": "rx" }, "linux.resources.devices[0].access"],
    [
      "an access of four letters",
      { "linux.resources.devices.0.access": "rwmr" },
      "linux.resources.devices[0].access",
    ],
  ],
  resources: [
    ["memory of -2", { "linux.resources.memory.limit": -2 }, "linux.resources.memory.limit"],
    ["memory as text", { "linux.resources.memory.limit": "1G" }, "linux.resources.memory.limit"],
    [
      "swap below memory",
      { "linux.resources.memory": { limit: 10, swap: 9 } },
      "linux.resources.memory.swap",
    ],
    ["swappiness 101", { "linux.resources.memory.swappiness": 101 }, "linux.resources.memory.swappiness"],
    ["a quota of 999 µs", { "linux.resources.cpu.quota": 999 }, "linux.resources.cpu.quota"],
    ["a burst above the quota", { "linux.resources.cpu.burst": 50_001 }, "linux.resources.cpu.burst"],
    ["a period of two seconds", { "linux.resources.cpu.period": 2_000_000 }, "linux.resources.cpu.period"],
    ["no list of processors", { "linux.resources.cpu.cpus": "0-" }, "linux.resources.cpu.cpus"],
    ["memory nodes backwards", { "linux.resources.cpu.mems": "1-0" }, "linux.resources.cpu.mems"],
    ["idle 2", { "linux.resources.cpu.idle": 2 }, "linux.resources.cpu.idle"],
    [
      "more real time than the period has",
      { "linux.resources.cpu": { realtimeRuntime: 11, realtimePeriod: 10 } },
      "linux.resources.cpu.realtimeRuntime",
    ],
    ["weight 9", { "linux.resources.blockIO.weight": 9 }, "linux.resources.blockIO.weight"],
    [
      "a device without a weight",
      { "linux.resources.blockIO.weightDevice": [{ major: 8, minor: 0 }] },
      "linux.resources.blockIO.weightDevice[0]",
    ],
    [
      "a throttle without a rate",
      { "linux.resources.blockIO.throttleReadBpsDevice": [{ major: 8, minor: 0 }] },
      "linux.resources.blockIO.throttleReadBpsDevice[0].rate",
    ],
    [
      "a page size without a unit",
      { "linux.resources.hugepageLimits": [{ pageSize: "2", limit: 0 }] },
      "linux.resources.hugepageLimits[0].pageSize",
    ],
    ["a class of 33 bits", { "linux.resources.network.classID": 2 ** 32 }, "linux.resources.network.classID"],
    [
      "an interface with a long name",
      { "linux.resources.network.priorities": [{ name: "a".repeat(16), priority: 1 }] },
      "linux.resources.network.priorities[0].name",
    ],
    ["no limit of processes", { "linux.resources.pids": {} }, "linux.resources.pids.limit"],
    ["an RDMA device without limits", { "linux.resources.rdma": { mlx5: {} } }, "linux.resources.rdma.mlx5"],
    [
      "an RDMA device of two words",
      { "linux.resources.rdma": { "a b": { hcaObjects: 1 } } },
      'linux.resources.rdma["a b"]',
    ],
    [
      "a path for a file",
      { "linux.resources.unified": { "../a.b": "1" } },
      'linux.resources.unified["../a.b"]',
    ],
    [
      "a file of no controller",
      { "linux.resources.unified": { tasks: "1" } },
      "linux.resources.unified.tasks",
    ],
  ],
  "the rest of linux": [
    ["another propagation", { "linux.rootfsPropagation": "none" }, "linux.rootfsPropagation"],
    ["a relative mask", { "linux.maskedPaths": ["/a", "b"] }, "linux.maskedPaths[1]"],
    ["a relative read-only path", { "linux.readonlyPaths": [""] }, "linux.readonlyPaths[0]"],
    ["a cgroup above its parent", { "linux.cgroupsPath": "/a/../../b" }, "linux.cgroupsPath"],
    ["seccomp as a list", { "linux.seccomp": [] }, "linux.seccomp"],
    ["another personality", { "linux.personality": { domain: "PER_BSD" } }, "linux.personality.domain"],
    [
      "flags of a personality",
      { "linux.personality": { domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] } },
      "linux.personality.flags[0]",
    ],
    ["a policy without a mode", { "linux.memoryPolicy": {} }, "linux.memoryPolicy.mode"],
    ["a policy without nodes", { "linux.memoryPolicy": { mode: "MPOL_BIND" } }, "linux.memoryPolicy.nodes"],
    [
      "nodes for the default",
      { "linux.memoryPolicy": { mode: "MPOL_DEFAULT", nodes: "0" } },
      "linux.memoryPolicy.nodes",
    ],
    [
      "flags that exclude each other",
      {
        "linux.memoryPolicy": {
          mode: "MPOL_BIND",
          nodes: "0",
          flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"],
        },
      },
      "linux.memoryPolicy.flags",
    ],
    [
      "flags for nodes without nodes",
      { "linux.memoryPolicy": { mode: "MPOL_PREFERRED", flags: ["MPOL_F_STATIC_NODES"] } },
      "linux.memoryPolicy.flags",
    ],
    [
      "balancing by another mode",
      { "linux.memoryPolicy": { mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"] } },
      "linux.memoryPolicy.flags",
    ],
    [
      "an unknown flag",
      { "linux.memoryPolicy": { mode: "MPOL_BIND", nodes: "0", flags: ["X"] } },
      "linux.memoryPolicy.flags[0]",
    ],
    ["a class that is a path", { "linux.intelRdt.closID": "../x" }, "linux.intelRdt.closID"],
    ["a class of the kernel's", { "linux.intelRdt.closID": "info" }, "linux.intelRdt.closID"],
    ["a memory schema without MB:", { "linux.intelRdt.memBwSchema": "L3:0=1" }, "linux.intelRdt.memBwSchema"],
    ["two lines in one schema", { "linux.intelRdt.schemata": ["a\nb"] }, "linux.intelRdt.schemata[0]"],
    ["an interface with a slash", { "linux.netDevices": { "a/b": {} } }, 'linux.netDevices["a/b"]'],
    [
      "an interface of 16 bytes",
      { "linux.netDevices": { eth0: { name: "a".repeat(16) } } },
      "linux.netDevices.eth0.name",
    ],
    [
      "two interfaces of one name",
      { "linux.netDevices": { a: { name: "x" }, b: { name: "x" } } },
      "linux.netDevices.b",
    ],
    [
      "interfaces without a network namespace",
      { "linux.namespaces": NAMESPACES.slice(0, 3), "linux.sysctl": {}, "linux.netDevices": { a: {} } },
      "linux.netDevices",
    ],
  ],
};
