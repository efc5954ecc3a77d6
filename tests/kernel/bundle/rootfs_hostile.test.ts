/**
 * Root directories that were made to break out: each is refused or harmless, and what they point at on the host stays as
 * it is. The numbers are those of the mistakes that other runtimes have made.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { Mount } from "../../../src/oci/bundle/config.ts";
import { configWith, makeBundle, mountsOf, type RootResult, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox"] as const;

/** A bundle and a directory of the host beside it that must stay as it is. */
class Target {
  readonly bundle: string;
  readonly outside: string;

  constructor(directory: string) {
    this.bundle = makeBundle(directory);
    this.outside = `${directory}/outside`;
    mkdirSync(this.outside);
    writeFileSync(`${this.outside}/ptmx`, "marker\n");
  }

  /** Replaces a directory of the root by a link. */
  link(name: string, target: string): void {
    rmdirSync(`${this.bundle}/rootfs/${name}`);
    symlinkSync(target, `${this.bundle}/rootfs/${name}`);
  }

  run(mounts: readonly Mount[], script: string): Promise<RootResult> {
    return runInRoot({ config: configWith(mounts), bundle: this.bundle, script });
  }

  expectUntouched(): void {
    expect(readdirSync(this.outside)).toEqual(["ptmx"]);
    expect(readFileSync(`${this.outside}/ptmx`, "utf8")).toBe("marker\n");
  }
}

describe("planBundleRoot() against hostile roots", () => {
  kernelTest(
    "refuses a /dev that is a link (CVE-2026-41579, CVE-2026-47766)",
    needs,
    async ({ directory }) => {
      const target = new Target(directory);
      target.link("dev", target.outside);

      const mounted = await target.run([], "true");
      const config = { ociVersion: "1.3.0", root: { path: "rootfs" } };
      const plain = await runInRoot({ config, bundle: target.bundle, script: "true" });

      expect(mounted.failure).toMatch(/^mount tmpfs on "\/dev": openat2\(.*ELOOP$/);
      expect(plain.failure).toMatch(/^make the devices in \/dev: openat2\(.*ELOOP$/);
      target.expectUntouched();
    },
  );

  for (const name of ["proc", "sys"]) {
    kernelTest(
      `refuses a /${name} that is a link (CVE-2019-19921, CVE-2023-27561)`,
      needs,
      async ({ directory }) => {
        const target = new Target(directory);
        target.link(name, "tmp");
        const sysfs = { destination: "/sys", type: "sysfs", source: "sysfs" };

        const { failure } = await target.run([sysfs], "true");

        expect(failure).toMatch(/^mount (proc|sysfs) on "\/(proc|sys)": openat2\(.*ELOOP$/);
      },
    );
  }

  kernelTest(
    "refuses a destination whose links lead into /proc (CVE-2025-52881)",
    needs,
    async ({ directory }) => {
      const target = new Target(directory);
      symlinkSync("/proc/self/attr", `${target.bundle}/rootfs/innocent`);

      const run = target.run([{ destination: "/innocent", type: "tmpfs" }], "true");

      await expect(run).rejects.toThrow('Cannot mount on "/proc/self/attr": it is inside /proc');
    },
  );

  kernelTest(
    "refuses a destination in a volume whose links lead into /proc",
    needs,
    async ({ directory }) => {
      const target = new Target(directory);
      mkdirSync(`${target.bundle}/volume`);
      symlinkSync("/proc/sys/kernel", `${target.bundle}/volume/innocent`);
      const volume = { destination: "/volume", source: "volume", options: ["rbind"] };

      const { failure } = await target.run(
        [volume, { destination: "/volume/innocent", type: "tmpfs" }],
        "true",
      );

      expect(failure).toMatch(/^mount tmpfs on "\/volume\/innocent": openat2\(.*ELOOP$/);
    },
  );

  kernelTest(
    "makes nothing outside for destinations behind links (CVE-2024-45310)",
    needs,
    async ({ directory }) => {
      const target = new Target(directory);
      const up = "../".repeat(12);
      symlinkSync(`${up}${target.outside}`, `${target.bundle}/rootfs/a`);
      symlinkSync(target.outside, `${target.bundle}/rootfs/b`);
      const file = { destination: "/b/new/file", source: "/etc/hostname", options: ["bind"] };

      const { output, failure } = await target.run(
        [{ destination: "/a/new/directory", type: "tmpfs" }, file],
        "cat /proc/self/mountinfo",
      );

      expect(failure).toBeUndefined();
      const inside = [`${target.outside}/new/directory`, `${target.outside}/new/file`];
      expect(Object.keys(mountsOf(output))).toEqual(expect.arrayContaining(inside));
      target.expectUntouched();
    },
  );

  kernelTest(
    "masks with a device of the host, whatever the image's is (CVE-2025-31133)",
    needs,
    async ({ directory }) => {
      const target = new Target(directory);
      symlinkSync("/proc/sysrq-trigger", `${target.bundle}/rootfs/dev/fake`);
      mkdirSync(`${target.bundle}/devices`);
      symlinkSync("/etc/key", `${target.bundle}/devices/null`);
      writeFileSync(`${target.bundle}/rootfs/etc/key`, "key\n");
      const mounts = [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/dev", source: "devices", options: ["bind"] },
      ];
      const config = { ...configWith([]), mounts, linux: { maskedPaths: ["/etc/key", "/proc/keys"] } };
      const script = 'stat -c "%F %t:%T" /etc/key /proc/keys';

      const { output } = await runInRoot({ config, bundle: target.bundle, script });

      expect(output).toBe("character special file 1:3\ncharacter special file 1:3\n");
    },
  );

  kernelTest(
    "replaces what is below a procfs only where nothing privileged is written",
    needs,
    async ({ directory }) => {
      const target = new Target(directory);
      writeFileSync(`${target.bundle}/uptime`, "1.00 1.00\n");
      const bind = (destination: string) => ({ destination, source: "uptime", options: ["bind"] });

      const { output } = await target.run([bind("/proc/uptime")], "cat /proc/uptime");

      expect(output).toBe("1.00 1.00\n");
      await expect(target.run([bind("/proc/1/attr/current")], "true")).rejects.toThrow("it is inside /proc");
      await expect(target.run([bind("/proc/sysrq-trigger")], "true")).rejects.toThrow("it is inside /proc");
    },
  );
});
