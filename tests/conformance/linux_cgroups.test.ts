/** config-linux.md, Control groups: the path, what is checked, the owners, the allowed devices. */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { CGROUP, groupOf, groupsAt, removeGroup, version } from "../helpers/cgroup_files.ts";
import { type Json, NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const sleeper = { process: { args: ["/bin/sleep", "60"] } };
const procs = (path: string): string => readFileSync(`${groupOf(path, "pids")}/cgroup.procs`, "utf8");

describe("config-linux.md#cgroups-path", () => {
  conformanceTest("that is absolute begins at the mount of the cgroups", CGROUP, async (runtime) => {
    const container = await runtime.create(sleeper);

    const { pid } = await container.state();

    expect(procs(`/${container.id}`)).toBe(`${pid}\n`);
  });

  conformanceTest(
    "that is absolute may be deep, and is made where it is missing",
    CGROUP,
    async (runtime) => {
      const bundle = await runtime.bundle();
      const cgroupsPath = `/${bundle.id}/deep/er`;
      const container = await runtime.create({ ...sleeper, linux: { cgroupsPath } });
      const { pid } = await container.state();

      const found = procs(cgroupsPath);
      await container.remove();
      const left = groupsAt(cgroupsPath);
      removeGroup(`/${bundle.id}/deep`);
      removeGroup(`/${bundle.id}`);

      expect({ found, left }).toEqual({ found: `${pid}\n`, left: [] });
    },
  );

  conformanceTest("that is relative leads to the same place each time", CGROUP, async (runtime) => {
    const bundle = await runtime.bundle();
    const sh = "grep -E ':pids:|^0::' /proc/self/cgroup";
    const linux = { cgroupsPath: `${bundle.id}-relative` };

    const first = await runtime.output({ sh, linux });
    const second = await runtime.output({ sh, linux });

    expect(first).toContain(`${bundle.id}-relative`);
    expect(second).toBe(first);
  });

  conformanceTest("holds the container's process before it runs", CGROUP, async (runtime) => {
    const sh =
      "grep -E ':(pids|memory|devices):|^0::' /proc/1/cgroup | grep -v '^0::.*/\\.\\.' | cut -d: -f3 | sort -u";
    const bundle = await runtime.bundle({ sh });

    const paths = (await runtime.outputOf(bundle)).trim().split("\n");

    expect(paths.filter((path) => path !== "/")).toEqual([`/${bundle.id}`]);
  });

  conformanceTest("is removed with the container", CGROUP, async (runtime) => {
    const container = await runtime.create(sleeper);
    const before = groupsAt(`/${container.id}`);

    await container.remove();

    expect(before.length).toBeGreaterThan(0);
    expect(groupsAt(`/${container.id}`)).toEqual([]);
  });

  conformanceTest("that leads out of the hierarchy stays inside", CGROUP, async (runtime) => {
    const bundle = await runtime.bundle();
    const linux = { cgroupsPath: `/../../../${bundle.id}-inside` };
    const sh = "grep -E ':pids:|^0::' /proc/self/cgroup | head -1";
    const patched = await runtime.bundle({ sh, linux });

    const { exitCode, stdout } = await runtime.run(patched);

    // Refusing it is as good as taking it from the root.
    if (exitCode === 0) expect(stdout).toEndWith(`:/${bundle.id}-inside\n`);
  });
});

describe("config-linux.md#cgroup-ownership", () => {
  conformanceTest("of version 1 stays with the runtime's user", CGROUP, async (runtime) => {
    if (version === 2) return;
    const container = await runtime.create({
      process: { args: ["/bin/sleep", "60"], user: { uid: 1000, gid: 1000 } },
      linux: { namespaces: [...NAMESPACES, { type: "cgroup" }] },
    });

    expect(statSync(groupOf(`/${container.id}`, "pids")).uid).toBe(0);
  });
});

describe("config-linux.md#allowed-device-list", () => {
  const [major, minor] = [1, 11];
  const kmsg = { path: "/dev/kmsg", type: "c", major, minor, fileMode: 0o666 };
  const rule = (allow: boolean, more: Json = {}): Json => ({ allow, access: "rwm", ...more });
  const device = { type: "c", major, minor };
  // Opened for writing, and nothing written.
  const sh = "(: > /dev/kmsg) 2>/dev/null && echo opened; true";

  const outcome = (rules: readonly Json[]): Json => ({
    sh,
    linux: { devices: [kmsg], resources: { devices: rules } },
  });

  conformanceTest("denies what nothing allows", CGROUP, async (runtime) => {
    expect(await runtime.output(outcome([rule(false)]))).toBe("");
  });

  conformanceTest("allows what is listed after it was denied", CGROUP, async (runtime) => {
    expect(await runtime.output(outcome([rule(false), rule(true, device)]))).toBe("opened\n");
  });

  conformanceTest("denies what is listed after it was allowed", CGROUP, async (runtime) => {
    expect(await runtime.output(outcome([rule(false), rule(true, device), rule(false, device)]))).toBe("");
  });

  conformanceTest("distinguishes reading, writing and making", CGROUP, async (runtime) => {
    expect(await runtime.output(outcome([rule(false), rule(true, { ...device, access: "rm" })]))).toBe("");
    expect(await runtime.output(outcome([rule(false), rule(true, { ...device, access: "w" })]))).toBe(
      "opened\n",
    );
  });

  conformanceTest("takes missing numbers for all", CGROUP, async (runtime) => {
    expect(await runtime.output(outcome([rule(false), rule(true, { type: "c", major })]))).toBe("opened\n");
    expect(await runtime.output(outcome([rule(false), rule(true, { type: "c" })]))).toBe("opened\n");
  });

  conformanceTest("keeps the default devices usable", CGROUP, async (runtime) => {
    const resources = { devices: [rule(false)] };
    const output = await runtime.output({
      sh: "echo x > /dev/null && head -c 2 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c",
      linux: { resources },
    });

    expect(output).toBe("2\n2\n");
  });

  conformanceTest("with an access that does not exist is refused", CGROUP, async (runtime) => {
    await runtime.refusal({
      ...sleeper,
      linux: { resources: { devices: [rule(true, { ...device, access: "rwx" })] } },
    });
  });

  conformanceTest("with a type that does not exist is refused", CGROUP, async (runtime) => {
    await runtime.refusal({
      ...sleeper,
      linux: { resources: { devices: [rule(true, { ...device, type: "z" })] } },
    });
  });
});

describe("config-linux.md#control-groups: fit for purpose", () => {
  conformanceTest(
    "a group that holds processes of others is refused or shared, never emptied",
    CGROUP,
    async (runtime) => {
      const first = await runtime.create(sleeper);
      const bundle = await runtime.bundle({ ...sleeper, linux: { cgroupsPath: `/${first.id}` } });

      await runtime.tryCreate(bundle);
      await runtime.command("delete", "--force", bundle.id);

      expect(await first.status()).toBe("created");
    },
  );

  conformanceTest("a group that could not be set up is removed again", CGROUP, async (runtime) => {
    const bundle = await runtime.bundle({ ...sleeper, linux: { resources: { cpu: { cpus: "4000-4001" } } } });

    await runtime.refusal(bundle);

    expect(groupsAt(`/${bundle.id}`)).toEqual([]);
  });

  conformanceTest("a frozen group is refused", CGROUP, async (runtime) => {
    if (version === 2) return;
    const bundle = await runtime.bundle({ ...sleeper });
    const directory = `/sys/fs/cgroup/freezer/${bundle.id}`;
    mkdirSync(directory);
    await Bun.write(`${directory}/freezer.state`, "FROZEN");

    const { exitCode } = await runtime.tryCreate(bundle);
    await Bun.write(`${directory}/freezer.state`, "THAWED");
    await runtime.command("delete", "--force", bundle.id);
    removeGroup(`/${bundle.id}`);

    expect(exitCode).not.toBe(0);
  });
});
