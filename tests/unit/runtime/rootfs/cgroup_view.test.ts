/** Which control groups a container sees. */
import { describe, expect, test } from "bun:test";
import type { CgroupPlace } from "../../../../src/runtime/cgroup/place.ts";
import { cgroupViewOf } from "../../../../src/runtime/rootfs/cgroup_view.ts";

describe("cgroupViewOf()", () => {
  test("shows the own group of version 2 with a namespace, or to who is not root", () => {
    const place = placeOf(2, { "": "/sys/fs/cgroup/a/b" });

    const views = [
      cgroupViewOf(place, { ownNamespace: true, unprivileged: false }),
      cgroupViewOf(place, { ownNamespace: false, unprivileged: true }),
      cgroupViewOf(place, { ownNamespace: false, unprivileged: false }),
    ];

    expect(views).toEqual([
      { kind: "unified", hostPath: "/sys/fs/cgroup/a/b" },
      { kind: "unified", hostPath: "/sys/fs/cgroup/a/b" },
      { kind: "unified", hostPath: "/sys/fs/cgroup" },
    ]);
  });

  test("shows each hierarchy of version 1 once, under the name of its directory", () => {
    const place = placeOf(1, {
      cpu: "/sys/fs/cgroup/cpu,cpuacct/x",
      cpuacct: "/sys/fs/cgroup/cpu,cpuacct/x",
      "name=systemd": "/sys/fs/cgroup/systemd/x",
      memory: "/cg/mem/x",
      rdma: "/cg/mem/x",
    });

    const view = cgroupViewOf(place, { ownNamespace: false, unprivileged: false });

    expect(view).toEqual({
      kind: "controllers",
      hierarchies: [
        { name: "cpu,cpuacct", hostPath: "/sys/fs/cgroup/cpu,cpuacct/x" },
        { name: "systemd", hostPath: "/sys/fs/cgroup/systemd/x" },
        { name: "memory,rdma", hostPath: "/cg/mem/x" },
      ],
    });
  });

  test("shows nothing where control groups are nobody's", () => {
    expect(cgroupViewOf(placeOf(0, {}), { ownNamespace: true, unprivileged: false })).toEqual({
      kind: "none",
    });
  });
});

const placeOf = (version: CgroupPlace["version"], directories: Record<string, string>): CgroupPlace => ({
  version,
  manager: "cgroupfs",
  directories,
});
