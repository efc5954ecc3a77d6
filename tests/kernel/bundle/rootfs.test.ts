/** The root of a bundle as the process in it sees it: /proc/self/mountinfo, files, and what it can do with them. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { starterConfig } from "../../../src/engine/bundle/starter_config.ts";
import type { RuntimeConfig } from "../../../src/oci/bundle/config.ts";
import { configWith, makeBundle, mountsOf, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox"] as const;
const starter = starterConfig(undefined) as RuntimeConfig;
const readMounts = "cat /proc/self/mountinfo";

describe("planBundleRoot()", () => {
  kernelTest("mounts what the starter's configuration asks for", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);

    const { output } = await runInRoot({ config: starter, bundle, script: readMounts });

    const mounts = mountsOf(output);
    const seen = (path: string) => `${mounts[path]?.type} ${mounts[path]?.source} ${mounts[path]?.options}`;
    expect(seen("/")).toEndWith(" ro,relatime");
    expect(seen("/proc")).toBe("proc proc rw,nosuid,nodev,noexec,relatime");
    expect(seen("/dev")).toBe("tmpfs tmpfs rw,nosuid");
    expect(seen("/dev/pts")).toBe("devpts devpts rw,nosuid,noexec,relatime");
    expect(seen("/dev/shm")).toBe("tmpfs shm rw,nosuid,nodev,noexec,relatime");
    expect(seen("/dev/mqueue")).toBe("mqueue mqueue rw,nosuid,nodev,noexec,relatime");
    expect(seen("/sys")).toBe("sysfs sysfs ro,nosuid,nodev,noexec,relatime");
    expect(mounts["/dev/pts"]?.superblock).toContain("ptmxmode=666");
    expect(mounts["/dev"]?.superblock).toContain("size=65536k,mode=755");
  });

  kernelTest("makes the default devices and links of /dev", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const script =
      'cd /dev; for f in *; do stat -c "%n %F %a %t:%T" $f; done; for f in fd stdin stdout stderr ptmx; do readlink $f; done';

    const { output } = await runInRoot({ config: configWith([]), bundle, script });

    expect(output.trim().split("\n")).toEqual([
      "fd symbolic link 777 0:0",
      "full character special file 666 1:7",
      "null character special file 666 1:3",
      "ptmx symbolic link 777 0:0",
      "pts directory 755 0:0",
      "random character special file 666 1:8",
      "stderr symbolic link 777 0:0",
      "stdin symbolic link 777 0:0",
      "stdout symbolic link 777 0:0",
      "tty character special file 666 5:0",
      "urandom character special file 666 1:9",
      "zero character special file 666 1:5",
      "/proc/self/fd",
      "/proc/self/fd/0",
      "/proc/self/fd/1",
      "/proc/self/fd/2",
      "pts/ptmx",
    ]);
  });

  kernelTest("leaves the bundle and the host's mounts as they were", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);

    await runInRoot({ config: starter, bundle, script: "true" });

    expect(readdirSync(`${bundle}/rootfs`).sort()).toEqual(["bin", "dev", "etc", "proc", "sys", "tmp"]);
    expect(readdirSync(`${bundle}/rootfs/dev`)).toEqual([]);
  });

  kernelTest("hides masked paths, through links of the image too", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    mkdirSync(`${bundle}/rootfs/secret`);
    writeFileSync(`${bundle}/rootfs/secret/key`, "key\n");
    writeFileSync(`${bundle}/rootfs/file`, "text\n");
    const { symlinkSync } = await import("node:fs");
    symlinkSync("/secret", `${bundle}/rootfs/link`);
    const maskedPaths = ["/link", "/file", "/missing", "/proc/keys"];
    const script = 'ls -A /secret; cat /file /proc/keys; stat -c "%t:%T" /file /proc/keys; touch /secret/x';

    const { output } = await runInRoot({
      config: configWith([], { linux: { maskedPaths } }),
      bundle,
      script,
    });

    expect(output).toBe("1:3\n1:3\ntouch: /secret/x: No such file or directory\n");
  });

  kernelTest("masks where /dev is the image's own too", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const config: RuntimeConfig = {
      ...configWith([]),
      mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
      linux: { maskedPaths: ["/proc/acpi", "/etc", "/proc/keys"] },
    };
    const script =
      'ls -A /etc; stat -c "%t:%T" /proc/keys; touch /etc/x; ls -A / | wc -l; cat /proc/self/mountinfo';

    const { output } = await runInRoot({ config, bundle, script });

    expect(output).toStartWith("1:3\ntouch: /etc/x: Read-only file system\n6\n");
    expect(mountsOf(output)["/etc"]).toMatchObject({
      type: "tmpfs",
      options: "ro,nosuid,nodev,noexec,relatime",
    });
  });

  kernelTest("fails rather than leave a masked path open", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const config = configWith([], { linux: { maskedPaths: ["/proc/self/root/etc"] } });

    const { exit, failure } = await runInRoot({ config, bundle, script: "true" });

    expect(exit).toEqual({ code: 127 });
    expect(failure).toMatch(/^mask "\/proc\/self\/root\/etc": openat2\(.*ELOOP/);
  });

  kernelTest("makes paths read-only with all that is mounted below", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const mounts = [
      { destination: "/tmp", type: "tmpfs" },
      { destination: "/tmp/below", type: "tmpfs" },
    ];
    const config = configWith(mounts, { linux: { readonlyPaths: ["/tmp", "/missing", "/proc/sys"] } });
    const script =
      "touch /tmp/a; touch /tmp/below/b; echo x >/proc/sys/kernel/hostname; touch /etc/c && echo made";

    const { output } = await runInRoot({ config, bundle, script });

    expect(output.match(/Read-only file system/g)).toHaveLength(3);
    expect(output).toEndWith("made\n");
  });

  kernelTest("makes the root read-only without what is mounted in it", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const config = configWith([{ destination: "/tmp", type: "tmpfs" }], {
      root: { path: "rootfs", readonly: true },
    });

    const { output } = await runInRoot({ config, bundle, script: "touch /x; touch /tmp/y && echo made" });

    expect(output).toBe("touch: /x: Read-only file system\nmade\n");
  });
});

describe("planEnterRoot()", () => {
  kernelTest(
    "enters by a move where pivot_root is not wanted, and hides the host's procfs",
    needs,
    async ({ directory }) => {
      const bundle = makeBundle(directory);
      const script = "ls -A /; grep -c ' - \\(proc\\|sysfs\\) ' /proc/self/mountinfo; cd ..; pwd";

      const { output } = await runInRoot({
        config: configWith([]),
        bundle,
        script,
        request: { noPivot: true },
      });

      expect(output).toBe("bin\ndev\netc\nproc\nsys\ntmp\n1\n/\n");
    },
  );

  kernelTest("enters by chroot alone without a mount namespace", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const config: RuntimeConfig = { ociVersion: "1.3.0", root: { path: "rootfs" } };
    const script = 'ls -A /; stat -c "%t:%T" /dev/null';

    const { output } = await runInRoot({ config, bundle, script, request: { mountNamespace: false } });

    expect(output).toBe("bin\ndev\netc\nproc\nsys\ntmp\n1:3\n");
  });
});
