/** Where a group is, and how hierarchies are found. */
import { describe, expect, test } from "bun:test";
import { parseCgroupFile, parseCgroupMounts } from "../../../../src/runtime/cgroup/hierarchies.ts";
import { type CgroupLocation, placeIn, slicePath } from "../../../../src/runtime/cgroup/place.ts";

const V1 = {
  version: 1,
  mounts: {
    memory: "/c/memory",
    cpu: "/c/cpu,cpuacct",
    cpuacct: "/c/cpu,cpuacct",
    "name=systemd": "/c/systemd",
  },
} as const;
const V2 = { version: 2, root: "/c" } as const;
const OWN = { memory: "/own", cpu: "/", cpuacct: "/", "name=systemd": "/a/b", "": "/user/own.scope" };

function locate(hierarchies: typeof V1 | typeof V2, rest: Partial<CgroupLocation>) {
  const location = { id: "box", manager: "cgroupfs", rootless: false, ownNamespace: true, ...rest } as const;
  return placeIn(hierarchies, location, () => OWN);
}

describe("locateCgroup()", () => {
  test("takes an absolute path from each mount point", () => {
    expect(locate(V1, { cgroupsPath: "/docker/box" })).toEqual({
      version: 1,
      manager: "cgroupfs",
      directories: {
        memory: "/c/memory/docker/box",
        cpu: "/c/cpu,cpuacct/docker/box",
        cpuacct: "/c/cpu,cpuacct/docker/box",
        "name=systemd": "/c/systemd/docker/box",
      },
    });
  });

  test("takes a relative path from the runtime's own groups", () => {
    const { directories } = locate(V1, { cgroupsPath: "docker/box" });

    expect(directories["memory"]).toBe("/c/memory/own/docker/box");
    expect(directories["cpu"]).toBe("/c/cpu,cpuacct/docker/box");
    expect(directories["name=systemd"]).toBe("/c/systemd/a/b/docker/box");
  });

  test("takes a relative path beside the runtime's own group on version 2", () => {
    expect(locate(V2, { cgroupsPath: "docker/box" }).directories).toEqual({ "": "/c/user/docker/box" });
  });

  test("does not leave the mount point by ..", () => {
    expect(locate(V2, { cgroupsPath: "/../../etc/./x//y" }).directories).toEqual({ "": "/c/etc/x/y" });
    expect(locate(V2, { cgroupsPath: "../../../x" }).directories).toEqual({ "": "/c/user/x" });
  });

  test("names the group after the container when there is no path", () => {
    expect(locate(V2, {}).directories).toEqual({ "": "/c/bunker-box" });
  });

  test("stays beside its own group as an ordinary user", () => {
    expect(locate(V2, { rootless: true }).directories).toEqual({ "": "/c/user/bunker-box" });
  });

  test("is nowhere when control groups are disabled", async () => {
    const { locateCgroup } = await import("../../../../src/runtime/cgroup/place.ts");
    const place = locateCgroup({ id: "box", manager: "disabled", rootless: false, ownNamespace: false });

    expect(place).toEqual({ version: 0, manager: "disabled", directories: {} });
  });
});

describe("locateCgroup() with systemd", () => {
  const systemd = (cgroupsPath: string | undefined, rootless = false) =>
    locate(V2, { manager: "systemd", cgroupsPath, rootless });

  test.each([
    ["machine.slice:libpod:abc", "/c/machine.slice/libpod-abc.scope", "libpod-abc.scope"],
    ["user-1000.slice::abc", "/c/user.slice/user-1000.slice/abc.scope", "abc.scope"],
    [":docker:abc", "/c/system.slice/docker-abc.scope", "docker-abc.scope"],
    ["-.slice:x:abc", "/c/x-abc.scope", "x-abc.scope"],
    ["a.slice:x:a-b.slice", "/c/a.slice/a-b.slice", "a-b.slice"],
    [undefined, "/c/system.slice/bunker-box.scope", "bunker-box.scope"],
  ])("reads %p", (cgroupsPath, directory, unit) => {
    const place = systemd(cgroupsPath);

    expect(place.directories).toEqual({ "": directory });
    expect(place.unit?.name).toBe(unit);
  });

  test.each([
    "/a/b",
    "a:b",
    "a.slice:x:",
    "a:b:c:d",
    "not-a-slice:x:y",
    "a--b.slice:x:y",
    "a/b.slice:x:y",
    "a.slice:x:/y",
  ])("refuses %p", (cgroupsPath) => {
    expect(() => systemd(cgroupsPath)).toThrow("linux.cgroupsPath");
  });

  test("finds the user's own systemd by the runtime's group", () => {
    const own = { "": "/user.slice/user-7.slice/user@7.service/app.slice/run-1.scope" };
    const location = { id: "box", manager: "systemd", rootless: true, ownNamespace: true } as const;

    const place = placeIn(V2, location, () => own);

    expect(place.directories[""]).toBe(
      "/c/user.slice/user-7.slice/user@7.service/user.slice/bunker-box.scope",
    );
    expect(place.unit?.user).toBe(true);
  });
});

describe("slicePath()", () => {
  test("nests a slice by its dashes", () => {
    expect(slicePath("a-b-c.slice")).toBe("/a.slice/a-b.slice/a-b-c.slice");
  });
});

describe("parseCgroupMounts()", () => {
  const line = (point: string, rest: string): string => `33 32 0:29 / ${point} rw,relatime - ${rest}\n`;

  test("finds version 1 with shared and named hierarchies", () => {
    const text =
      line("/x/cpu,cpuacct", "cgroup cgroup rw,cpu,cpuacct") +
      line("/x/sys\\040d", "cgroup cgroup rw,xattr,name=systemd,release_agent=/lib/x") +
      line("/x/unified", "cgroup2 cgroup2 rw") +
      line("/proc", "proc proc rw");

    expect(parseCgroupMounts(text)).toEqual({
      version: 1,
      mounts: { cpu: "/x/cpu,cpuacct", cpuacct: "/x/cpu,cpuacct", "name=systemd": "/x/sys d" },
    });
  });

  test("finds version 2", () => {
    expect(parseCgroupMounts(line("/y", "cgroup2 none rw,nsdelegate"))).toEqual({ version: 2, root: "/y" });
  });

  test("finds nothing in a table without control groups", () => {
    expect(parseCgroupMounts(line("/", "ext4 /dev/sda rw"))).toBeUndefined();
  });
});

describe("parseCgroupFile()", () => {
  test("keeps colons of a path", () => {
    expect(parseCgroupFile("4:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/x\n")).toEqual({
      cpu: "/a:b",
      cpuacct: "/a:b",
      "name=systemd": "/",
      "": "/x",
    });
  });
});
