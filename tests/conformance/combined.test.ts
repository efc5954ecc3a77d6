/** Sections together, as callers send them: what holds for each alone holds for all at once. */
import { describe, expect } from "bun:test";
import { chownSync, mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { CGROUP } from "../helpers/cgroup_files.ts";
import type { Bundle, Runtime } from "../helpers/oci_runtime.ts";
import { type ConfigPatch, ID_MAP, type Json, MOUNTS } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const TYPES = ["pid", "ipc", "uts", "mount", "network", "cgroup"];
const PROBE = [
  "id -u; id -g; hostname; pwd; umask",
  "echo $$; readlink -f /proc/self/fd/0 > /dev/null",
  "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | cut -f2 | xargs",
  "cat /proc/sys/net/ipv4/ip_forward",
  "ulimit -n",
  "touch /made 2>/dev/null || echo read-only",
  "cat /proc/version | wc -c",
  "(echo x > /proc/sys/kernel/msgmax) 2>/dev/null || echo kept",
  "stat -c %t:%T /dev/kmsg",
  "cat /volume/file",
].join("; ");

/** What an engine's container has, without the user namespace. */
function everything(bundleVolume: string): ConfigPatch & { readonly process: Json; readonly linux: Json } {
  const sets = ["bounding", "effective", "permitted"].map((set) => [set, ["CAP_DAC_OVERRIDE", "CAP_KILL"]]);
  return {
    hostname: "combined",
    root: { path: "rootfs", readonly: true },
    process: {
      args: ["/bin/sh", "-c", PROBE],
      user: { uid: 10, gid: 20, umask: 0o27, additionalGids: [30] },
      cwd: "/srv",
      noNewPrivileges: true,
      oomScoreAdj: 200,
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 64, hard: 64 }],
      capabilities: Object.fromEntries(sets),
    },
    mounts: [
      ...MOUNTS,
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777"],
      },
      {
        destination: "/dev/mqueue",
        type: "mqueue",
        source: "mqueue",
        options: ["nosuid", "noexec", "nodev"],
      },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      { destination: "/volume", source: bundleVolume, options: ["rbind", "rprivate", "ro"] },
    ],
    hooks: { createRuntime: [{ path: "/bin/true" }], poststop: [{ path: "/bin/true" }] },
    annotations: { "com.example.key": "value" },
    linux: {
      namespaces: TYPES.map((type) => ({ type })),
      sysctl: { "net.ipv4.ip_forward": "1" },
      maskedPaths: ["/proc/version", "/proc/kcore", "/sys/firmware"],
      readonlyPaths: ["/proc/sys", "/proc/bus"],
      devices: [{ path: "/dev/kmsg", type: "c", major: 1, minor: 11, fileMode: 0o666 }],
      resources: {
        devices: [{ allow: false, access: "rwm" }],
        memory: { limit: 64 << 20 },
        pids: { limit: 50 },
        cpu: { shares: 512 },
      },
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["swapon"], action: "SCMP_ACT_ERRNO" }],
      },
    },
  };
}

const EXPECTED = "10\n20\ncombined\n/srv\n0027\n1\n1 2\n1\n64\nread-only\n0\nkept\n1:b\nheld";

async function combined(
  runtime: Runtime,
  change: (patch: ReturnType<typeof everything>) => ConfigPatch,
): Promise<Bundle> {
  const source = `${runtime.directory}/volume`;
  await Bun.write(`${source}/file`, "held");
  const bundle = await runtime.bundle(change(everything(source)));
  mkdirSync(`${bundle.root}/volume`);
  return bundle;
}

describe("config.md and config-linux.md together", () => {
  conformanceTest(
    "a container with everything that engines ask for is as they ask",
    CGROUP,
    async (runtime) => {
      const bundle = await combined(runtime, (patch) => patch);

      expect(await runtime.outputOf(bundle)).toBe(EXPECTED);
      expect(hostname()).not.toBe("combined");
    },
  );

  conformanceTest("the same in a user namespace", [...CGROUP, "user namespaces"], async (runtime) => {
    const bundle = await combined(runtime, (patch) => ({
      ...patch,
      linux: {
        ...patch.linux,
        namespaces: [...TYPES, "user"].map((type) => ({ type })),
        uidMappings: ID_MAP,
        gidMappings: ID_MAP,
      },
    }));
    chownSync(bundle.root, 100_000, 100_000);

    expect(await runtime.outputOf(bundle)).toBe(EXPECTED);
  });

  conformanceTest(
    "a pod: the second container shares all namespaces of the first but the mounts",
    [],
    async (runtime) => {
      const first = await runtime.start({
        process: { args: ["/bin/sleep", "60"] },
        hostname: "pod",
        linux: { namespaces: TYPES.map((type) => ({ type })), sysctl: { "net.ipv4.ip_forward": "1" } },
      });
      const { pid } = await first.state();
      const files = { pid: "pid", ipc: "ipc", uts: "uts", network: "net" };

      const second = await runtime.start({
        sh: "hostname; cat /proc/sys/net/ipv4/ip_forward; tr '\\0' ' ' < /proc/1/cmdline; ls -A /srv",
        linux: {
          namespaces: [
            { type: "mount" },
            { type: "cgroup" },
            ...Object.entries(files).map(([type, file]) => ({ type, path: `/proc/${pid}/ns/${file}` })),
          ],
        },
      });
      await second.ended();
      await second.delete();

      expect(second.output()).toBe("pod\n1\n/bin/sleep 60 ");
      expect(await first.status()).toBe("running");
    },
  );

  conformanceTest("many containers live beside each other", [], async (runtime) => {
    const made = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => runtime.start({ sh: `echo ${n}; exec sleep 60` })),
    );

    await Promise.all(made.map((container, index) => container.printed(`${index + 1}\n`)));
    const states = await Promise.all(made.map((container) => container.status()));
    await Promise.all(made.map((container) => container.remove()));

    expect(states).toEqual(made.map(() => "running"));
  });
});
