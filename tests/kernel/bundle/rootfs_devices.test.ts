/** Devices of config.json, and where /dev is not a filesystem of the container's own. */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { AT_FDCWD, S_IFCHR } from "../../../src/linux/abi/fcntl.ts";
import { mknodat } from "../../../src/linux/file.ts";
import type { Device, RuntimeConfig } from "../../../src/oci/bundle/config.ts";
import { configWith, makeBundle, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox"] as const;
const withDevices = (...devices: Device[]): RuntimeConfig => configWith([], { linux: { devices } });
/** /dev of the image. */
const imageDev: RuntimeConfig = { ociVersion: "1.3.0", root: { path: "rootfs" } };

describe("planBundleDevices()", () => {
  kernelTest("makes each kind with its mode and owner, in directories too", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const config = withDevices(
      { type: "c", path: "/dev/deep/er/tun", major: 10, minor: 200, fileMode: 0o600, uid: 5, gid: 6 },
      { type: "u", path: "/dev/unbuffered", major: 1, minor: 3 },
      { type: "b", path: "/dev/loop7", major: 7, minor: 7, fileMode: 0o660, gid: 9 },
      { type: "p", path: "/dev/fifo", fileMode: 0o622 },
      { type: "c", path: "/opt/null", major: 1, minor: 3, fileMode: 0o444 },
      { type: "c", path: "/dev/null", major: 1, minor: 3, fileMode: 0o600 },
    );
    const paths = "/dev/deep/er/tun /dev/unbuffered /dev/loop7 /dev/fifo /opt/null /dev/null";

    const { output } = await runInRoot({ config, bundle, script: `stat -c "%F %a %u:%g %t:%T" ${paths}` });

    expect(output.trim().split("\n")).toEqual([
      "character special file 600 5:6 a:c8",
      "character special file 666 0:0 1:3",
      "block special file 660 0:9 7:7",
      "fifo 622 0:0 0:0",
      "character special file 444 0:0 1:3",
      "character special file 600 0:0 1:3",
    ]);
  });

  kernelTest(
    "accepts a node that is there already when it is the same device",
    needs,
    async ({ directory }) => {
      const bundle = makeBundle(directory);
      mknodat(AT_FDCWD, `${bundle}/rootfs/dev/null`, { mode: S_IFCHR | 0o640, major: 1, minor: 3 });

      const { output, failure } = await runInRoot({
        config: imageDev,
        bundle,
        script: "stat -c %a /dev/null /dev/zero",
      });

      expect(failure).toBeUndefined();
      expect(output).toBe("640\n666\n");
    },
  );

  kernelTest("refuses another file in the place of a device", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    mknodat(AT_FDCWD, `${bundle}/rootfs/dev/null`, { mode: S_IFCHR | 0o666, major: 1, minor: 5 });

    const { failure } = await runInRoot({ config: imageDev, bundle, script: "true" });

    expect(failure).toMatch(/^make the device "\/dev\/null": mknodat\(.*EEXIST$/);
  });

  kernelTest(
    "accepts a bind mount of the same device, and refuses one of another",
    needs,
    async ({ directory }) => {
      const bundle = makeBundle(directory);
      const bind = (destination: string, source: string) => ({ destination, source, options: ["bind"] });
      const good = configWith([bind("/dev/zero", "/dev/zero")]);
      const bad = configWith([bind("/dev/zero", "/dev/full")]);

      const accepted = await runInRoot({ config: good, bundle, script: 'stat -c "%t:%T" /dev/zero' });
      const refused = await runInRoot({ config: bad, bundle, script: "true" });

      expect(accepted.output).toBe("1:5\n");
      expect(refused.failure).toMatch(/^make the device "\/dev\/zero": mknodat\(.*EEXIST$/);
    },
  );

  kernelTest("leaves a /dev that is bound from the host as it is", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    mkdirSync(`${bundle}/devices`);
    const config = configWith([{ destination: "/dev", source: "devices", options: ["bind"] }], {
      mounts: [{ destination: "/dev", source: "devices", options: ["bind"] }],
      linux: { maskedPaths: ["/etc"] },
    });

    const { output, failure } = await runInRoot({ config, bundle, script: "ls -A /dev /etc" });

    expect(failure).toBeUndefined();
    expect(output).toBe("/dev:\n\n/etc:\n");
  });

  kernelTest("makes /dev read-only when all is in it", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const dev = { destination: "/dev", type: "tmpfs", options: ["ro", "mode=755"] };
    const config: RuntimeConfig = {
      ...configWith([]),
      mounts: [dev, { destination: "/dev/shm", type: "tmpfs" }],
    };

    const { output } = await runInRoot({
      config,
      bundle,
      script: "touch /dev/x; touch /dev/shm/y; echo >/dev/null && ls /dev/shm",
    });

    expect(output).toBe("touch: /dev/x: Read-only file system\ny\n");
  });

  kernelTest(
    "replaces links of the image's own /dev that must lead elsewhere",
    needs,
    async ({ directory }) => {
      const bundle = makeBundle(directory);
      symlinkSync("/etc/passwd", `${bundle}/rootfs/dev/ptmx`);

      const { output } = await runInRoot({ config: imageDev, bundle, script: "readlink /dev/ptmx" });

      expect(output).toBe("pts/ptmx\n");
    },
  );
});
