/** What is asked of a container that runs by way of its control group: pause, resume, update, ps, events. */
import { describe, expect } from "bun:test";
import { limitIn } from "../../helpers/cgroup_files.ts";
import { GROUP_NEEDS, until } from "../../helpers/group.ts";
import { type Container, Runtime } from "../../helpers/oci_runtime.ts";
import type { Need } from "../../helpers/requires.ts";
import type { ConfigPatch } from "../../helpers/runtime_bundle.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = [...GROUP_NEEDS, "the executable"];
const MB = 1 << 20;
const PIDS = { 1: "pids.max", 2: "pids.max" } as const;

/** A test with a started container. */
function containerTest(
  name: string,
  patch: ConfigPatch,
  body: (runtime: Runtime, container: Container) => Promise<void>,
): void {
  kernelTest(name, NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    await body(runtime, await runtime.start(patch));
  });
}

const SLEEP = { sh: "sleep 60 & wait" };

async function expectFailure(command: ReturnType<Runtime["command"]>, text: string): Promise<void> {
  const { exitCode, stderr } = await command;
  expect(exitCode).toBe(1);
  expect(stderr).toContain(text);
}

const idOf = (container: Container): string => container.bundle.id;

describe("pause and resume", () => {
  containerTest("stop a container and let it go on", SLEEP, async (runtime, container) => {
    const status = async () => JSON.parse((await runtime.command("state", idOf(container))).stdout).status;

    expect((await runtime.command("pause", idOf(container))).exitCode).toBe(0);
    expect(await status()).toBe("paused");
    await expectFailure(
      runtime.command("pause", idOf(container)),
      "container not running or created: paused",
    );
    expect((await runtime.command("resume", idOf(container))).exitCode).toBe(0);
    expect(await status()).toBe("running");
    await expectFailure(runtime.command("resume", idOf(container)), "container not paused");
  });

  containerTest(
    "do not keep a container from being killed and deleted",
    SLEEP,
    async (runtime, container) => {
      await runtime.command("pause", idOf(container));

      expect((await runtime.command("delete", "--force", idOf(container))).exitCode).toBe(0);
      await expectFailure(runtime.command("state", idOf(container)), "container does not exist");
    },
  );
});

describe("update", () => {
  containerTest("changes limits of a running container", SLEEP, async (runtime, container) => {
    const flags = ["--pids-limit", "7", "--memory", String(64 * MB)];

    expect((await runtime.command("update", ...flags, idOf(container))).exitCode).toBe(0);

    expect(limitIn(container.bundle, "pids", PIDS)).toBe("7");
    const memory = limitIn(container.bundle, "memory", { 1: "memory.limit_in_bytes", 2: "memory.max" });
    expect(memory).toBe(String(64 * MB));
  });

  containerTest("names what the kernel refuses, and changes nothing", SLEEP, async (runtime, container) => {
    const before = limitIn(container.bundle, "pids", PIDS);

    const update = runtime.command("update", "--pids-limit", "7", "--cpuset-cpus", "4000", idOf(container));

    await expectFailure(update, "linux.resources.cpu.cpus");
    expect(limitIn(container.bundle, "pids", PIDS)).toBe(before);
  });
});

describe("ps", () => {
  containerTest("lists the processes of a container", SLEEP, async (runtime, container) => {
    const pids = async () =>
      JSON.parse((await runtime.command("ps", "--format", "json", idOf(container))).stdout) as number[];

    const state = JSON.parse((await runtime.command("state", idOf(container))).stdout) as { pid: number };
    let found = await pids();
    while (found.length < 2) found = await pids();

    expect(found).toHaveLength(2);
    expect(found[0]).toBe(state.pid);
  });
});

describe("events", () => {
  containerTest("tells what a container uses", SLEEP, async (runtime, container) => {
    const { stdout } = await runtime.command("events", "--stats", idOf(container));

    const event = JSON.parse(stdout);
    expect([event.type, event.id]).toEqual(["stats", idOf(container)]);
    expect(event.data.pids.current).toBeGreaterThan(0);
    expect(event.data.memory.usage.usage).toBeGreaterThan(0);
  });

  const wait = (name: string): string => `until [ -e /tmp/${name} ]; do sleep 0.01; done`;
  const hungry = {
    sh: `${wait("go")}; dd if=/dev/zero of=/dev/null bs=64M count=1; ${wait("end")}`,
    linux: { resources: { memory: { limit: 16 * MB, swap: 16 * MB } } },
  };

  containerTest(
    "says that memory ran out, and ends with the container",
    hungry,
    async (runtime, container) => {
      const events = Bun.spawn(runtime.words("events", "--interval", "50ms", idOf(container)), {
        stdin: "ignore",
        stdout: "pipe",
      });
      const reader = events.stdout.getReader();
      const first = new TextDecoder().decode((await reader.read()).value);
      await Bun.write(`${container.bundle.root}/tmp/go`, "");
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        rest += new TextDecoder().decode(part.value);
        if (rest.includes('"oom"')) await Bun.write(`${container.bundle.root}/tmp/end`, "");
      }

      expect(JSON.parse(first.split("\n")[0] as string).type).toBe("stats");
      expect(rest).toContain(`{"type":"oom","id":"${idOf(container)}"}`);
      expect(await events.exited).toBe(0);
    },
  );

  containerTest("are refused once a container has ended", { sh: "true" }, async (runtime, container) => {
    await until("it has ended", () => {
      const { stdout } = Bun.spawnSync(runtime.words("state", idOf(container)));
      return stdout.toString().includes("stopped");
    });

    await expectFailure(runtime.command("events", "--stats", idOf(container)), "is not running");
  });
});
