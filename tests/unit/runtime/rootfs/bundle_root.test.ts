/** What the root of a bundle is made of, and in which order: plans alone, nothing is mounted. */
import { describe, expect, test } from "bun:test";
import { Program } from "../../../../src/linux/program.ts";
import type { RuntimeConfig } from "../../../../src/oci/bundle/config.ts";
import type { BundleRootHost } from "../../../../src/runtime/rootfs/bundle_host.ts";
import { planBundleRoot } from "../../../../src/runtime/rootfs/bundle_root.ts";

const host: BundleRootHost = {
  bundle: "/bundle",
  rootfs: "/bundle/rootfs",
  mountNamespace: true,
  userNamespace: false,
  bindDevices: false,
  noPivot: false,
  kernelMounts: [],
  cgroup: { kind: "none" },
  selinux: false,
  mounts: new Map(),
};

describe("planBundleRoot()", () => {
  test.each([
    ["/", "bind", 'Cannot mount on "/": it is the root itself'],
    ["/proc", "tmpfs", 'Cannot mount on "/proc": only a procfs may be there, not tmpfs'],
    ["/proc/self/attr", "tmpfs", 'Cannot mount on "/proc/self/attr": it is inside /proc'],
    ["/a/../proc/./sys", "bind", 'Cannot mount on "/proc/sys": it is inside /proc'],
    ["proc/1", "bind", 'Cannot mount on "/proc/1": it is inside /proc'],
  ])("refuses a mount on %p of type %p", (destination, type, message) => {
    const config = configWith({ mounts: [{ destination, type, source: "/srv" }] });

    expect(() => planBundleRoot(new Program(), config, host)).toThrow(message);
  });

  test("opens the sources of the host before the root is mounted", () => {
    const program = new Program();
    const config = configWith({ mounts: [{ destination: "/data", type: "bind", source: "data" }] });

    planBundleRoot(program, config, host);

    const opened = program.steps.filter(({ name }) => name === "open_tree").map(({ args }) => args[1]);
    expect(opened).toEqual(["/bundle/data", "/bundle/rootfs"]);
  });
});

const configWith = (changes: Partial<RuntimeConfig>): RuntimeConfig => ({ ociVersion: "1.3.0", ...changes });
