import { describe, expect, test } from "bun:test";
import {
  type CheckpointOptions,
  dumpArguments,
  type RestoreFlags,
  restoreArguments,
} from "../../../../src/engine/bundle/criu_arguments.ts";

const PLAIN = {
  imagePath: "/images",
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
  emptyNs: [],
} satisfies RestoreFlags;

const CHECKPOINT = {
  ...PLAIN,
  leaveRunning: false,
  preDump: false,
  tcpSkipInFlight: false,
  linkRemap: false,
} satisfies CheckpointOptions;

const TARGET = { pid: 12, root: "/srv/web/rootfs", mounts: [] };

describe("dumpArguments()", () => {
  test("names the tree, the root, and where the images go", () => {
    expect(dumpArguments(CHECKPOINT, TARGET)).toEqual([
      "dump",
      "--images-dir",
      "/images",
      "--work-dir",
      "/images",
      "--log-file",
      "dump.log",
      "-v4",
      "--no-default-config",
      "--manage-cgroups=soft",
      "--tree",
      "12",
      "--root",
      "/srv/web/rootfs",
      "--evasive-devices",
    ]);
  });

  test.each<readonly [Partial<CheckpointOptions>, readonly string[]]>([
    [{ leaveRunning: true }, ["--leave-running"]],
    [{ preDump: true }, ["pre-dump", "--leave-running", "--track-mem"]],
    [{ parentPath: "../first" }, ["--track-mem", "--prev-images-dir", "../first"]],
    [{ tcpEstablished: true }, ["--tcp-established"]],
    [{ tcpSkipInFlight: true }, ["--skip-in-flight"]],
    [{ extUnixSk: true, shellJob: true }, ["--ext-unix-sk", "--shell-job"]],
    [{ fileLocks: true, linkRemap: true }, ["--file-locks", "--link-remap"]],
    [{ workPath: "/logs" }, ["--work-dir", "/logs"]],
    [{ manageCgroupsMode: "ignore" }, ["--manage-cgroups=ignore"]],
    [{ emptyNs: ["network"] }, ["--empty-ns", "net"]],
    [{ statusFd: 3, lazyPages: true }, ["--lazy-pages", "--status-fd", "3"]],
    [{ pageServer: "10.0.0.1:99" }, ["--page-server", "--address", "10.0.0.1", "--port", "99"]],
    [{ pageServer: "[::1]:99", lazyPages: true }, ["--lazy-pages", "--address", "[::1]", "--port", "99"]],
  ])("says %j as criu does", (options, words) => {
    const args = dumpArguments({ ...CHECKPOINT, ...options }, TARGET);

    expect(words.filter((word) => !args.includes(word))).toEqual([]);
  });

  test("keeps what belongs to the machine out of the images", () => {
    const mounts = [{ mountpoint: "/data", name: "/data" }];

    const args = dumpArguments(CHECKPOINT, { ...TARGET, mounts, networkInode: 4026531840 });

    expect(args.slice(-4)).toEqual([
      "--external",
      "mnt[/data]:/data",
      "--external",
      "net[4026531840]:extRootNetNS",
    ]);
  });
});

describe("restoreArguments()", () => {
  test("makes the process a child of the caller, in the groups that were made for it", () => {
    const args = restoreArguments(PLAIN, {
      root: "/run/root",
      pidFile: "/run/pid",
      mounts: [{ name: "/data", source: "/srv/data" }],
      inherited: ["fd[1]:pipe[77]"],
      cgroups: { "": "/a", memory: "/b" },
    });

    expect(args.slice(10)).toEqual([
      ...["--restore-detached", "--restore-sibling", "--pidfile", "/run/pid", "--root", "/run/root"],
      ...["--external", "mnt[/data]:/srv/data", "--inherit-fd", "fd[1]:pipe[77]"],
      ...["--cgroup-root", "/a", "--cgroup-root", "memory:/b"],
    ]);
  });

  test("hands labels on", () => {
    const flags = { ...PLAIN, lsmProfile: "apparmor:web", lsmMountContext: "ctx" };
    const target = { root: "/r", pidFile: "/p", mounts: [], inherited: [], cgroups: {} };

    expect(restoreArguments(flags, target).slice(-4)).toEqual([
      ...["--lsm-profile", "apparmor:web"],
      ...["--lsm-mount-context", "ctx"],
    ]);
  });
});
