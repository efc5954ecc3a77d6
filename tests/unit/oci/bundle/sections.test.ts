/** The rules of the sections: tables of what is refused, and of what is taken. */
import { describe, expect, test } from "bun:test";
import { checkConfig } from "../../../../src/oci/bundle/parse.ts";
import { type Case, REFUSED_AT_TOP } from "./refused_cases.ts";
import { REFUSED_IN_LINUX } from "./refused_linux_cases.ts";
import { changed, faultsOf } from "./valid_config.ts";

const REFUSED = { ...REFUSED_AT_TOP, ...REFUSED_IN_LINUX };
const NAMESPACES = [{ type: "mount" }, { type: "uts" }, { type: "ipc" }, { type: "network" }];
const withNamespaces = (...more: readonly object[]): object => ({
  "linux.namespaces": [...NAMESPACES, ...more],
});
const map = (containerID: number, hostID: number, size: number): object => ({ containerID, hostID, size });
const MAP = [map(0, 1000, 1)];
const userNamespace = { "linux.uidMappings": MAP, "linux.gidMappings": MAP };

describe.each(Object.keys(REFUSED))("checkConfig() with %s", (section) => {
  test.each(REFUSED[section] ?? [])("refuses %s", (_title, changes, ...paths) => {
    const faults = checkConfig(JSON.stringify(changed(changes)));

    expect(faults.map(({ path }) => path)).toEqual(paths);
    for (const fault of faults) expect(fault.section).toMatch(/^config(-linux)?\.md(#[a-z0-9-]+)?$/);
  });
});

describe("checkConfig()", () => {
  test.each<Case>([
    ["no process", { process: undefined }],
    ["no arguments before start", { "process.args": [] }],
    ["a relative destination", { "mounts.0.destination": "proc" }],
    ["variables with odd names", { "process.env": ["1-a b=2", "A=", "A=x=y"] }],
    ["the greatest id", { "process.user": { uid: 4_294_967_294, gid: 0 } }],
    ["a realtime policy", { "process.scheduler": { policy: "SCHED_FIFO", priority: 99 } }],
    ["a deadline", { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 2 } }],
    [
      "a mount with maps of its own",
      { "mounts.1.options": ["bind", "idmap"], "mounts.1.uidMappings": MAP, "mounts.1.gidMappings": MAP },
    ],
    ["crun's idmap with its own map", { "mounts.1.options": ["bind", "idmap=uids=@0-1-2"] }],
    ["a destination of one letter", { "mounts.0.destination": "/a" }],
    [
      "several maps side by side",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.uidMappings": [map(1, 100_000, 65_535), map(0, 1000, 1), map(65_536, 200_000, 1)],
      },
    ],
    [
      "a user namespace",
      { ...withNamespaces({ type: "user" }), ...userNamespace, "mounts.1.options": ["bind", "idmap"] },
    ],
    [
      "a joined user namespace without maps",
      withNamespaces({ type: "user", path: "/proc/1/ns/user" }) as never,
    ],
    [
      "a joined user namespace with maps",
      { ...withNamespaces({ type: "user", path: "/x" }), ...userNamespace },
    ],
    [
      "a map of all ids",
      {
        ...withNamespaces({ type: "user" }),
        ...userNamespace,
        "linux.uidMappings": [map(0, 0, 4_294_967_295)],
      },
    ],
    [
      "clocks",
      { ...withNamespaces({ type: "time" }), "linux.timeOffsets": { monotonic: { secs: -5, nanosecs: 1 } } },
    ],
    ["an empty path of a namespace", withNamespaces({ type: "pid", path: "" }) as never],
    ["sysctl(8)'s other separator", { "linux.sysctl": { "net/ipv4/conf/eth0.100/rp_filter": "1" } }],
    ["a mode with the type of the file", { "linux.devices.0.fileMode": 0o20666 }],
    ["a FIFO without numbers", { "linux.devices": [{ type: "p", path: "/x" }] }],
    [
      "wildcards written as -1",
      { "linux.resources.devices": [{ allow: true, type: "c", major: -1, minor: -1, access: "m" }] },
    ],
    [
      "limits of zero",
      { "linux.resources.memory": { limit: 0, swap: 0 }, "linux.resources.cpu": { quota: 0, period: 0 } },
    ],
    ["swappiness that is not set", { "linux.resources.memory.swappiness": -1 }],
    [
      "memory nodes",
      { "linux.memoryPolicy": { mode: "MPOL_INTERLEAVE", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] } },
    ],
    [
      "classes of caches",
      { "linux.intelRdt": { closID: "a", schemata: ["L3:0=f"], memBwSchema: "MB:0=20" } },
    ],
    ["interfaces", { "linux.netDevices": { eth0: {}, eth1: { name: "lan" } } }],
    ["an annotation called __proto__", JSON.parse('{"annotations": {"__proto__": "x"}}')],
  ])("takes %s", (_title, changes) => {
    expect(faultsOf(changed(changes))).toEqual([]);
  });
});
