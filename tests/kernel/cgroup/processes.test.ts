/** Listing, freezing and ending the processes of a group. */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { SIGKILL, SIGTERM } from "../../../src/linux/abi/sched.ts";
import { call } from "../../../src/linux/call.ts";
import { freezeCgroup, thawCgroup } from "../../../src/runtime/cgroup/freezer.ts";
import { isFrozen } from "../../../src/runtime/cgroup/frozen.ts";
import { openJoinFiles } from "../../../src/runtime/cgroup/join.ts";
import { killCgroup, processesIn } from "../../../src/runtime/cgroup/processes.ts";
import { GROUP_NEEDS, groupVersion, TestGroup, testPlace, until } from "../../helpers/group.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

/** A process that has left its parent and session, one in a group below, and one that ignores SIGTERM. */
const FAMILY = `
  ( setsid sh -c 'sleep 60 & sleep 60' & )
  trap '' TERM
  while :; do sleep 60; done`;

const joined = (group: TestGroup, count: number) =>
  until(`${count} processes have joined`, () => processesIn(group.place).length >= count);

describe("processesIn()", () => {
  kernelTest("finds those of groups below", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    const file = groupVersion === 2 ? "cgroup.procs" : "tasks";
    const below = `${group.directory("freezer")}/below/deep`;
    mkdirSync(below, { recursive: true });

    const shell = group.spawn(`echo 0 > ${below}/${file}; exec sleep 60`);
    await until("it has moved", () => readFileSync(`${below}/cgroup.procs`, "utf8") !== "");

    expect(processesIn(group.place)).toEqual([shell.pid]);
  });

  kernelTest("is empty for a group that does not exist", GROUP_NEEDS, () => {
    expect(processesIn(testPlace())).toEqual([]);
  });
});

describe("killCgroup()", () => {
  kernelTest("ends a whole family, whoever its parents are", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    const shell = group.spawn(FAMILY);
    await joined(group, 5);

    killCgroup(group.place, SIGKILL);

    await shell.exited;
    await until("all are gone", () => processesIn(group.place).length === 0);
    expect(isFrozen(group.place)).toBe(false);
  });

  kernelTest("ends a process that forks all the time", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make({ pids: { limit: 50 } });
    const shell = group.spawn("fork() { while :; do (:) & done; }; fork & fork & fork");
    await joined(group, 5);

    killCgroup(group.place, SIGKILL);

    await shell.exited;
    await until("all are gone", () => processesIn(group.place).length === 0);
  });

  kernelTest("ends a frozen group", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    const shell = group.spawn("sleep 60; :");
    await joined(group, 2);
    freezeCgroup(group.place);

    killCgroup(group.place, SIGKILL);

    await shell.exited;
    expect(shell.signalCode).toBe("SIGKILL");
  });

  kernelTest("sends another signal to all, and leaves a frozen group frozen", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    const shell = group.spawn("trap 'exit 7' TERM; while :; do sleep 0.1; done");
    await joined(group, 2);
    freezeCgroup(group.place);

    killCgroup(group.place, SIGTERM);

    expect(isFrozen(group.place)).toBe(true);
    thawCgroup(group.place);
    expect(await shell.exited).toBe(7);
  });
});

describe("freezeCgroup()", () => {
  kernelTest("stops all processes until they are thawed", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    const shell = group.spawn("while :; do echo x; sleep 0.001; done");
    const output = shell.stdout.getReader();
    await output.read();

    expect(freezeCgroup(group.place)).toBe(true);

    expect(isFrozen(group.place)).toBe(true);
    const used = () => group.read({ v1: "cpuacct/cpuacct.usage", v2: "cpu.stat" }).split("\n")[0];
    // A process that was ending, or on its way to its stop, may take some microseconds more.
    let before: string | undefined;
    await until("nothing is on its way", () => {
      const last = before;
      before = used();
      return before === last;
    });
    await Bun.sleep(50);
    expect(used()).toBe(before as string | undefined);
    thawCgroup(group.place);
    expect(isFrozen(group.place)).toBe(false);
    await until("it goes on", () => used() !== before);
  });

  kernelTest("says that a missing group cannot be frozen", GROUP_NEEDS, () => {
    expect(freezeCgroup(testPlace())).toBe(false);
  });
});

describe("openJoinFiles()", () => {
  kernelTest("leads into a group below the container's", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();
    for (const path of new Set(Object.values(group.place.directories))) mkdirSync(`${path}/inner`);

    const fds = openJoinFiles(group.place, ["inner"]);
    const names = fds.map((fd) => readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")).length;
    for (const fd of fds) call("close", fd);

    expect(names).toBe(new Set(Object.values(group.place.directories)).size);
  });

  kernelTest("does not lead out of the container's group", GROUP_NEEDS, async () => {
    await using group = await TestGroup.make();

    expect(() => openJoinFiles(group.place, ["../other"])).toThrow("it leads out");
    expect(() => openJoinFiles(group.place, ["missing"])).toThrow("cannot be opened");
  });
});
