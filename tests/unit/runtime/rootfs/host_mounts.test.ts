/** Which mounts of the host would let a container mount a whole procfs or sysfs. */
import { describe, expect, test } from "bun:test";
import { fullKernelMounts } from "../../../../src/runtime/rootfs/host_mounts.ts";

const mountinfo = `20 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw
21 1 0:21 / /sys rw - sysfs sysfs rw
22 21 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup rw
23 1 0:20 /sys /partial ro - proc proc rw
24 1 0:20 / /with\\040blank rw - proc proc rw
25 1 0:20 / /bundle/rootfs/proc rw - proc proc rw
26 1 0:20 / /bundle/rootfs2/proc rw - proc proc rw
`;

describe("fullKernelMounts()", () => {
  test("finds whole ones outside the root, the last first", () => {
    const points = fullKernelMounts(mountinfo, "/bundle/rootfs");

    expect(points).toEqual(["/bundle/rootfs2/proc", "/with blank", "/sys", "/proc"]);
  });
});
