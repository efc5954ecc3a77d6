/** runtime.md, Lifecycle: the steps in their order, and how they go on when a hook fails. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import type { Runtime } from "../helpers/oci_runtime.ts";
import type { Sandbox } from "../helpers/sandbox.ts";
import { conformanceTest } from "./harness.ts";
import { hooked, type Kind, sleeper, written } from "./hooked_bundle.ts";

const note = 'echo "$KIND" >> "$OUT"';

describe("runtime.md#lifecycle", () => {
  conformanceTest("goes from create over start and kill to delete", [], async (runtime) => {
    const container = await runtime.create({
      sh: "trap 'echo ended; exit 5' TERM; echo ran; while :; do sleep 0.02; done",
    });
    await container.start();
    await container.printed("ran\n");
    await container.kill("TERM");

    expect(await container.ended()).toBe(5);
    expect(container.output()).toBe("ran\nended\n");
    expect((await container.delete()).exitCode).toBe(0);
  });

  conformanceTest("run does all of it and ends with the program's exit code", [], async (runtime) => {
    const bundle = await runtime.bundle({ sh: "echo ran; exit 9" });

    const { exitCode, stdout } = await runtime.run(bundle);

    expect({ exitCode, stdout }).toEqual({ exitCode: 9, stdout: "ran\n" });
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });
});

describe("runtime.md#lifecycle: a hook that fails", () => {
  conformanceTest("as prestart stops create, and the poststop hooks run", [], (runtime, sandbox) =>
    failsCreate("prestart", runtime, sandbox),
  );

  conformanceTest("as createRuntime stops create, and the poststop hooks run", [], (runtime, sandbox) =>
    failsCreate("createRuntime", runtime, sandbox),
  );

  conformanceTest("as createContainer stops create, and the poststop hooks run", [], (runtime, sandbox) =>
    failsCreate("createContainer", runtime, sandbox),
  );

  conformanceTest(
    "as startContainer is an error of start, and the program does not run",
    [],
    async (runtime) => {
      const bundle = await hooked(runtime, { startContainer: "exit 3" }, { sh: "echo ran" });
      const container = await runtime.create(bundle);

      const { exitCode } = await container.tryStart();

      expect(exitCode).not.toBe(0);
      expect(container.output()).toBe("");
    },
  );

  conformanceTest("as startContainer leads to destruction and the poststop hooks", [], async (runtime) => {
    const bundle = await hooked(runtime, { startContainer: "exit 3", poststop: note });
    const container = await runtime.create(bundle);

    await container.tryStart();
    await container.delete("--force");

    expect(await runtime.findState(bundle.id)).toBeUndefined();
    expect(written(runtime)).toBe("poststop\n");
  });

  conformanceTest("as poststart is an error of start and stops the container", [], async (runtime) => {
    const bundle = await hooked(runtime, { poststart: ["exit 3", note], poststop: note });
    const container = await runtime.create(bundle);
    const { pid } = await container.state();

    const { exitCode } = await container.tryStart();

    expect(exitCode).not.toBe(0);
    expect((await runtime.findState(bundle.id))?.status ?? "stopped").toBe("stopped");
    expect(isAlive(pid)).toBe(false);
    await container.delete("--force");
    expect(written(runtime)).toBe("poststop\n");
  });

  conformanceTest("as poststop is a warning, and the next ones run", [], async (runtime) => {
    const bundle = await hooked(runtime, { poststop: ["exit 3", note] });
    const container = await runtime.start(bundle);
    await container.kill("KILL");
    await container.ended();

    const { exitCode, stderr } = await container.delete();

    expect(exitCode).toBe(0);
    expect(stderr + runtime.messages()).toMatch(/warn|error/i);
    expect(written(runtime)).toBe("poststop\n");
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });
});

describe("runtime.md#errors", () => {
  conformanceTest("leave everything as it was before", [], async (runtime, sandbox) => {
    await runtime.refusal({ ...sleeper, process: { user: { uid: 0, gid: 0 }, cwd: "/bin/busybox/no" } });

    expect(await sandbox.leftBehind()).toEqual([]);
  });
});

async function failsCreate(kind: Kind, runtime: Runtime, sandbox: Sandbox): Promise<void> {
  const bundle = await hooked(runtime, { [kind]: ["exit 3", note], poststart: note, poststop: note });

  await runtime.refusal(bundle);

  expect(written(runtime)).toBe("poststop\n");
  expect(await sandbox.leftBehind()).toEqual([]);
}

/** Whether a process is there and not a dead one that waits to be reaped. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
