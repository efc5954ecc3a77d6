/** Making and removing the control group of a container. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { makeCgroup } from "../../../src/runtime/cgroup/make.ts";
import { processesIn } from "../../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../../src/runtime/cgroup/remove.ts";
import { GROUP_NEEDS, groupVersion, TestGroup, testPlace, until } from "../../helpers/group.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const V1 = ["root", "cgroup v1"] as const;

const paths = (place: { readonly directories: Readonly<Record<string, string>> }): string[] =>
  Object.values(place.directories);

describe("makeCgroup()", () => {
  kernelTest("makes a directory in every hierarchy of the machine", V1, async () => {
    await using group = await TestGroup.make();

    const names = readFileSync("/proc/self/cgroup", "utf8").matchAll(/^[0-9]+:([^:]+):/gm);
    const expected = [...names].flatMap(([, list]) => (list as string).split(","));
    expect(Object.keys(group.place.directories).sort()).toEqual(expected.sort());
    expect(paths(group.place).every((path) => existsSync(path))).toBe(true);
  });

  kernelTest("enables all controllers of the machine for the group", ["root", "cgroup v2"], async () => {
    await using group = await TestGroup.make({}, "/bunker-above/group");

    const all = readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8");
    expect(readFileSync(`${group.directory("")}/cgroup.controllers`, "utf8")).toBe(all);
  });

  kernelTest("gives processors and memory nodes of the parent to a new group", V1, async () => {
    await using group = await TestGroup.make({}, "/bunker-above/middle/group");

    const parent = readFileSync("/sys/fs/cgroup/cpuset/cpuset.cpus", "utf8");
    expect(readFileSync(`${group.directory("cpuset")}/cpuset.cpus`, "utf8")).toBe(parent);
    expect(readFileSync(`${group.directory("cpuset")}/../cpuset.mems`, "utf8")).not.toBe("\n");
  });

  kernelTest("hands out descriptors that a process joins every hierarchy by", GROUP_NEEDS, async () => {
    const place = testPlace();
    using made = await makeCgroup(place, {}, { rootless: false });
    const script = [...made.joinFds.keys()].map((index) => `echo 0 > /proc/self/fd/${index + 3}`).join("; ");

    const child = Bun.spawn(["/bin/sh", "-c", `${script}; cat /proc/self/cgroup`], {
      stdio: ["ignore", "pipe", "inherit", ...made.joinFds],
    });
    const groups = await new Response(child.stdout).text();
    await child.exited;
    await removeCgroup(made.place);

    const name = paths(place)[0]?.split("/").at(-1) as string;
    const joined = groups.split("\n").filter((line) => line.endsWith(`/${name}`));
    expect(joined).toHaveLength(new Set(paths(place)).size);
  });

  kernelTest("refuses a group that is not empty", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    group.spawn("exec sleep 60");
    await until("the process has joined", () => processesIn(group.place).length === 1);

    const again = makeCgroup(group.place, {}, { rootless: false });

    await expect(again).rejects.toThrow("it is not empty");
    expect(paths(group.place).every((path) => existsSync(path))).toBe(true);
  });

  kernelTest("refuses a group that is frozen", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    const [file, value] = groupVersion === 2 ? ["cgroup.freeze", "1"] : ["freezer.state", "FROZEN"];
    writeFileSync(`${group.directory("freezer")}/${file}`, value);

    await expect(makeCgroup(group.place, {}, { rootless: false })).rejects.toThrow("it is frozen");
  });

  kernelTest("takes over a group that is empty", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();

    using again = await makeCgroup(group.place, { pids: { limit: 3 } }, { rootless: false });

    expect(again.joinFds.length).toBeGreaterThan(0);
    expect(group.read({ v1: "pids/pids.max", v2: "pids.max" })).toBe("3");
  });

  kernelTest("leaves nothing when a limit is refused", GROUP_NEEDS, async () => {
    const place = testPlace("/bunker-above/refused");

    const made = makeCgroup(place, { cpu: { cpus: "4000" } }, { rootless: false });

    await expect(made).rejects.toThrow('linux.resources.cpu.cpus to "4000"');
    expect(paths(place).filter((path) => existsSync(path) || existsSync(`${path}/..`))).toEqual([]);
  });

  kernelTest("names the member whose controller is missing", V1, async () => {
    const made = makeCgroup(testPlace(), { rdma: { mlx: { hcaHandles: 1 } } }, { rootless: false });

    await expect(made).rejects.toThrow('linux.resources.rdma.mlx: there is no "rdma" controller');
  });
});

describe("makeCgroup() with an owner", () => {
  kernelTest("gives the subtree away and keeps the limits", ["root", "cgroup v2"], async () => {
    using made = await makeCgroup(testPlace(), { pids: { limit: 5 } }, { rootless: false, owner: 4321 });
    const uid = (name: string): number => statSync(`${paths(made.place)[0]}/${name}`).uid;

    const owners = ["", "cgroup.procs", "cgroup.subtree_control", "pids.max", "memory.max"].map(uid);
    await removeCgroup(made.place);

    expect(owners).toEqual([4321, 4321, 4321, 0, 0]);
  });
});

describe("removeCgroup()", () => {
  kernelTest("removes what the payload has made below, and new groups above", GROUP_NEEDS, async () => {
    const group = await TestGroup.make({}, "/bunker-above/payload");
    for (const path of paths(group.place)) mkdirSync(`${path}/a/b/c`, { recursive: true });
    for (const path of paths(group.place)) mkdirSync(`${path}/x`);

    await removeCgroup(group.place);

    expect(paths(group.place).filter((path) => existsSync(`${path}/..`))).toEqual([]);
  });

  kernelTest("leaves a group above that others have made", GROUP_NEEDS, async () => {
    const first = await TestGroup.make({}, "/bunker-shared/first");
    const second = await TestGroup.make({}, "/bunker-shared/second");

    await removeCgroup(first.place);
    expect(paths(second.place).every((path) => existsSync(path))).toBe(true);
    await removeCgroup(second.place);

    for (const path of paths(second.place)) rmdirSync(path.slice(0, path.lastIndexOf("/")));
  });

  kernelTest("removes what a maker that was killed has left", GROUP_NEEDS, async () => {
    const place = testPlace();
    for (const path of paths(place).slice(0, 3)) mkdirSync(path);

    await removeCgroup(place);

    expect(paths(place).filter((path) => existsSync(path))).toEqual([]);
  });

  kernelTest("says that a process is still there", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    group.spawn("exec sleep 60");
    await until("the process has joined", () => processesIn(group.place).length === 1);

    await expect(removeCgroup(group.place)).rejects.toThrow("EBUSY");
  });

  kernelTest("finds nothing to do when the group is gone", GROUP_NEEDS, async () => {
    const place = testPlace();

    await removeCgroup(place);

    expect(paths(place).filter((path) => existsSync(path))).toEqual([]);
  });
});
