/** A configuration without a fault, and ways to change it. */

import { checkConfig } from "../../../../src/oci/bundle/parse.ts";

/** A new copy at each call. */
export function validConfig(): object {
  return {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    process: {
      cwd: "/",
      user: { uid: 0, gid: 0 },
      args: ["/bin/true"],
      env: ["PATH=/bin", "EMPTY="],
      capabilities: { bounding: ["CAP_CHOWN"], effective: ["CAP_CHOWN"], permitted: ["CAP_CHOWN"] },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 }],
      oomScoreAdj: -5,
    },
    hostname: "box",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/data", type: "bind", source: "/srv", options: ["rbind", "ro"] },
    ],
    hooks: { poststop: [{ path: "/bin/true", args: ["true"], timeout: 3 }] },
    annotations: { "org.example": "x" },
    linux: {
      namespaces: [{ type: "pid" }, { type: "mount" }, { type: "uts" }, { type: "ipc" }, { type: "network" }],
      resources: {
        devices: [{ allow: false, access: "rwm" }],
        memory: { limit: 536_870_912, swap: -1 },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0-3,7" },
        pids: { limit: 100 },
        unified: { "memory.high": "1000000" },
      },
      devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 }],
      sysctl: { "net.ipv4.ip_forward": "1" },
      seccomp: { defaultAction: "SCMP_ACT_ALLOW" },
      maskedPaths: ["/proc/kcore"],
      readonlyPaths: ["/proc/sys"],
    },
  };
}

/** {@link validConfig} with other values at some paths: `process.cwd`, `mounts.1.source`; undefined removes. */
export function changed(changes: Readonly<Record<string, unknown>>): object {
  const config = validConfig();
  for (const [path, value] of Object.entries(changes)) set(config, path, value);
  return config;
}

function set(config: object, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  let parent = config as Record<string, unknown>;
  for (const key of keys) {
    parent[key] ??= {};
    parent = parent[key] as Record<string, unknown>;
  }
  if (value === undefined) delete parent[last];
  else parent[last] = value;
}

/** Paths of all faults. */
export function faultsOf(config: object): string[] {
  return checkConfig(JSON.stringify(config)).map(({ path }) => path);
}
