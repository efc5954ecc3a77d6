/** The root of a bundle in a user namespace, and mounts whose owners are mapped. */
import { describe, expect } from "bun:test";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import type { IdMapping, Mount, RuntimeConfig } from "../../../src/oci/bundle/config.ts";
import { configWith, makeBundle, mountsOf, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox", "user namespaces"] as const;
const maps = (hostID: number): readonly IdMapping[] => [{ containerID: 0, hostID, size: 65_536 }];
const linux = { uidMappings: maps(100_000), gidMappings: maps(200_000) };
const inNamespace = (...mounts: Mount[]): RuntimeConfig => configWith(mounts, { linux });

/** A bundle below a directory that nobody but root can enter. */
function makeClosedBundle(directory: string): string {
  const bundle = makeBundle(directory);
  chownSync(`${bundle}/rootfs`, 100_000, 200_000);
  chmodSync(directory, 0o700);
  mkdirSync(`${bundle}/volume`);
  writeFileSync(`${bundle}/volume/file`, "content\n");
  chownSync(`${bundle}/volume`, 100_000, 200_000);
  return bundle;
}

describe("prepareBundleRoot() with a user namespace", () => {
  kernelTest("opens root and volumes that the container cannot look up", needs, async ({ directory }) => {
    const bundle = makeClosedBundle(directory);
    const config = inNamespace({ destination: "/volume", source: "volume", options: ["rbind"] });
    const script = 'id -u; cat /volume/file; echo x >/volume/made; stat -c "%t:%T" /dev/null; ls /dev';

    const { output, failure } = await runInRoot({ config, bundle, script });

    expect(failure).toBeUndefined();
    expect(output).toStartWith("0\ncontent\n1:3\n");
    expect(statSync(`${bundle}/volume/made`).uid).toBe(100_000);
  });

  kernelTest("leaves no mount of the container a peer of one of the host", needs, async ({ directory }) => {
    const bundle = makeClosedBundle(directory);
    const shared = { destination: "/volume", source: "volume", options: ["rbind", "rshared"] };

    const { output, failure } = await runInRoot({
      config: inNamespace(shared),
      bundle,
      script: "cat /proc/self/mountinfo",
    });

    expect(failure).toBeUndefined();
    const { propagation } = mountsOf(output)["/volume"] ?? { propagation: "none" };
    expect(propagation).toMatch(/^shared:\d+( master:\d+)?$/);
    const peers = await Bun.file("/proc/self/mountinfo").text();
    expect(peers).not.toContain(` ${propagation.split(" ")[0]} `);
  });

  kernelTest("takes the host's sysfs where none can be mounted", needs, async ({ directory }) => {
    const bundle = makeClosedBundle(directory);
    const sysfs = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid"] };

    const { output, failure } = await runInRoot({
      config: inNamespace(sysfs),
      bundle,
      script: "cat /proc/self/mountinfo",
      hostNetwork: true,
    });

    expect(failure).toBeUndefined();
    expect(mountsOf(output)["/sys"]?.options).toStartWith("ro,nosuid");
  });

  kernelTest("masks, hides and enters as elsewhere", needs, async ({ directory }) => {
    const bundle = makeClosedBundle(directory);
    const paths = { maskedPaths: ["/proc/acpi", "/proc/keys"], readonlyPaths: ["/proc/sys"] };
    const config = {
      ...inNamespace(),
      linux: { ...linux, ...paths },
      root: { path: "rootfs", readonly: true },
    };
    const script = 'stat -c "%t:%T" /proc/keys; ls /proc/acpi; touch /x; echo x >/proc/sys/kernel/hostname';

    const { output } = await runInRoot({ config, bundle, script });

    expect(output).toBe(
      "1:3\ntouch: /x: Read-only file system\nsh: can't create /proc/sys/kernel/hostname: Read-only file system\n",
    );
  });
});

describe("prepareBundleRoot() with mapped mounts", () => {
  const own = {
    uidMappings: [{ containerID: 0, hostID: 5000, size: 10 }],
    gidMappings: [{ containerID: 0, hostID: 6000, size: 10 }],
  };
  const owner = 'stat -c "%u:%g"';

  kernelTest("shows owners as the mount's own map has them", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    mkdirSync(`${bundle}/volume`);
    const volume = { destination: "/volume", source: "volume", options: ["rbind", "idmap"], ...own };

    const { output } = await runInRoot({
      config: configWith([volume]),
      bundle,
      script: `${owner} /volume; touch /volume/new`,
    });

    // An owner who is not in the map cannot make files: EOVERFLOW.
    expect(output).toBe("5000:6000\ntouch: /volume/new: Value too large for defined data type\n");
  });

  kernelTest("shows owners as the container's map has them", needs, async ({ directory }) => {
    const bundle = makeClosedBundle(directory);
    mkdirSync(`${bundle}/plain`);
    const plain = { destination: "/plain", source: "plain", options: ["bind", "idmap"] };

    const { output } = await runInRoot({
      config: inNamespace(plain),
      bundle,
      script: `${owner} /plain; touch /plain/new; ${owner} /plain/new`,
    });

    expect(output).toBe("0:0\n0:0\n");
    expect(statSync(`${bundle}/plain/new`).uid).toBe(0);
  });

  kernelTest(
    "refuses a map where there is none, and one for what is no bind mount",
    needs,
    async ({ directory }) => {
      const bundle = makeBundle(directory);
      mkdirSync(`${bundle}/volume`);
      const none = { destination: "/volume", source: "volume", options: ["rbind", "idmap"] };
      const wrong = { destination: "/tmp", type: "tmpfs", ...own };

      const run = (mount: Mount) => runInRoot({ config: configWith([mount]), bundle, script: "true" });

      await expect(run(none)).rejects.toThrow("neither it nor the container has a map");
      await expect(run(wrong)).rejects.toThrow('Cannot mount on "/tmp": only bind mounts can map ids');
    },
  );
});
