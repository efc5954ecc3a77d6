/** States that are seldom: paused before the start, a state directory that somebody has spoiled, two at one id. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { SIGKILL } from "../../../src/linux/abi/sched.ts";
import { until } from "../../helpers/group.ts";
import type { Runtime } from "../../helpers/oci_runtime.ts";
import { bundleTest } from "../../helpers/runtime_test.ts";

/** Waits until two processes run in the container. @returns their ids */
async function untilTwo(runtime: Runtime, id: string): Promise<readonly number[]> {
  for (;;) {
    const { stdout } = await runtime.command("ps", "--format", "json", id);
    const pids = JSON.parse(stdout) as readonly number[];
    if (pids.length === 2) return pids;
  }
}

/** Words before a command: there it meets others in the middle of what they do, ten times as often. */
function onOneProcessor(): readonly string[] {
  const processor = /^Cpus_allowed_list:\t(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return processor === undefined || Bun.which("taskset") === null ? [] : ["taskset", "-c", processor];
}

const SLEEP = { sh: "exec sleep 60" };

describe("a container that is paused before its start", () => {
  bundleTest("is paused, takes no start, and is created once more after resume", async (runtime) => {
    const container = await runtime.create(SLEEP);
    await runtime.command("pause", container.id);

    const paused = await container.status();
    const start = await container.tryStart();
    await runtime.command("resume", container.id);

    expect([paused, start.exitCode, await container.status()]).toEqual(["paused", 1, "created"]);
    expect(start.messages).toContain("cannot start a container in the paused state");
    await container.start();
    expect(await container.status()).toBe("running");
  });
});

describe("a container with a frozen group below its own", () => {
  for (const how of ["kill KILL", "kill --all KILL", "delete --force"]) {
    bundleTest(
      `ends by ${how}`,
      async (runtime) => {
        const container = await runtime.start({ sh: "sleep 60 & exec sleep 60" });
        const pids = await untilTwo(runtime, container.id);
        const group = `/sys/fs/cgroup/freezer/${container.id}/below`;
        mkdirSync(group);
        writeFileSync(`${group}/cgroup.procs`, String(Math.max(...pids)));
        writeFileSync(`${group}/freezer.state`, "FROZEN");
        await until("it is frozen", () => readFileSync(`${group}/freezer.state`, "utf8") === "FROZEN\n");

        const [verb = "", ...words] = how.split(" ");
        const flags = words.filter((word) => word.startsWith("--"));
        const rest = words.filter((word) => !word.startsWith("--"));
        const { exitCode, stderr } = await runtime.command(verb, ...flags, container.id, ...rest);

        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
        await container.ended();
      },
      ["cgroup v1"],
    );
  }
});

describe("a container that was killed before its start", () => {
  bundleTest("has stopped and can be deleted, though its process has yet to end", async (runtime) => {
    const container = await runtime.create(SLEEP);
    // The first process of a PID namespace waits for all others to be reaped, with its files closed; this one's parent sleeps.
    const exec = Bun.spawn(runtime.words("exec", container.id, "sh", "-c", "echo up; exec sleep 60"), {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await exec.stdout.getReader().read();
    exec.kill("SIGSTOP");
    const { pid } = await container.state();
    await container.kill("KILL");
    while (readdirSync(`/proc/${pid}/fd`).length > 0) await Bun.sleep(1);

    const { exitCode, messages } = await container.tryStart();
    // delete comes first, most likely, and waits.
    setTimeout(() => exec.kill("SIGCONT"), 500);
    const deleted = await container.delete();
    await exec.exited;

    expect(messages).toContain("cannot start a container that has stopped");
    expect([exitCode, deleted.exitCode, deleted.stderr]).toEqual([1, 0, ""]);
  });
});

describe("a container that a hook kills", () => {
  for (const kind of ["prestart", "createRuntime"]) {
    bundleTest(`as ${kind} is not created, and it is said that it was killed`, async (runtime) => {
      const script =
        "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); kill -9 $pid; until grep -q '^State:.Z' /proc/$pid/status; do :; done";
      const hooks = {
        [kind]: [{ path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"] }],
      };

      expect(await runtime.refusal({ ...SLEEP, hooks })).toContain("OOM-killed");
    });
  }
});

describe("a directory below the root", () => {
  for (const [what, name, content] of [
    ["whose state is cut short", "state.json", '{"pid": 1'],
    ["whose state lacks what every verb needs", "state.json", "{}"],
    ["in which a killed engine has left its program", "program", "x"],
  ] as const) {
    bundleTest(`${what} goes by delete --force`, async (runtime) => {
      const { id } = await runtime.bundle();
      const root = `${runtime.root}/${id}`;
      mkdirSync(root, { recursive: true });
      writeFileSync(`${root}/${name}`, content);

      expect((await runtime.command("list")).exitCode).toBe(0);
      expect(await runtime.command("delete", "--force", id)).toMatchObject({ exitCode: 0, stderr: "" });
      expect((await runtime.command("state", id)).stderr).toBe("container does not exist\n");
    });
  }
});

describe("an id that several processes create and delete", () => {
  bundleTest("is one container at a time, and none in the end", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "true" });
    const loop = `for i in $(seq 8); do "$@" >/dev/null 2>&1; done`;
    const words = [
      ["run", "--bundle", bundle.directory, bundle.id],
      ["create", "--bundle", bundle.directory, bundle.id],
      ["start", bundle.id],
      ["delete", "--force", bundle.id],
    ];

    const loops = words.map((command) =>
      Bun.spawn([...onOneProcessor(), "sh", "-c", loop, "sh", ...runtime.words(...command)], {
        stdio: ["ignore", "ignore", "ignore"],
        timeout: 60_000,
      }),
    );
    const codes = await Promise.all(loops.map((child) => child.exited));
    await runtime.command("delete", "--force", bundle.id);

    const [ran = -1, ...others] = codes;
    // delete --force may have killed the last that was run.
    expect([0, 1, 128 + SIGKILL]).toContain(ran);
    for (const code of others) expect([0, 1]).toContain(code);
    expect(await runtime.outputOf(bundle)).toBe("");
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });
});
