/** Hooks of the runtime and of a container: what they are given, how they end, and what is said of their failures. */
import { describe, expect } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { CLONE_NEWPID } from "../../../src/linux/abi/sched.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  spawnProgram,
} from "../../../src/linux/spawn.ts";
import { pollForExit } from "../../../src/linux/wait.ts";
import type { Hook } from "../../../src/oci/bundle/config.ts";
import { HookError, runHooks, runLateHooks } from "../../../src/runtime/hooks.ts";
import { planHook } from "../../../src/runtime/process/hook.ts";
import { readHookFailure } from "../../../src/runtime/process/hook_report.ts";
import { until } from "../../helpers/group.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const shell = (script: string, more: Partial<Hook> = {}): Hook => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  ...more,
});
const context = { state: { id: "c1", status: "creating" } };

describe("runHooks()", () => {
  kernelTest("gives each hook the state, its environment and no descriptor", [], ({ directory }) => {
    const out = `${directory}/out`;
    const script = `cat >>${out}; env | sort >>${out}; ls /proc/self/fd | tr '\\n' ' ' >>${out}; pwd >>${out}`;

    runHooks("prestart", [shell(script, { env: ["A=b"] }), shell(script)], { ...context, cwd: directory });

    const state = JSON.stringify(context.state);
    expect(readFileSync(out, "utf8").split("\n")).toEqual([
      `${state}A=b`,
      `PWD=${directory}`,
      `0 1 2 3 ${directory}`,
      `${state}PWD=${directory}`,
      `0 1 2 3 ${directory}`,
      "",
    ]);
  });

  kernelTest("gives a hook without arguments its path as the first", [], ({ directory }) => {
    const path = `${directory}/hook`;
    writeFileSync(path, `#!/bin/sh\necho "$0 $#" >${directory}/out\n`, { mode: 0o755 });

    runHooks("createRuntime", [{ path }], context);

    expect(readFileSync(`${directory}/out`, "utf8")).toBe(`${path} 0\n`);
  });

  kernelTest(
    "stops at the first that fails, and names it with the end of its output",
    [],
    ({ directory }) => {
      const hooks = [
        shell("true"),
        shell("echo one; echo two >&2; exit 3"),
        shell(`touch ${directory}/third`),
      ];

      const failure = failureOf(() => runHooks("createRuntime", hooks, context));

      expect(failure).toBe("error running createRuntime hook #1: exit status 3, output: one\ntwo");
      expect(Bun.file(`${directory}/third`).size).toBe(0);
    },
  );

  kernelTest("names the signal that ends a hook", [], () => {
    const failure = failureOf(() => runHooks("prestart", [shell("kill -9 $$")], context));

    expect(failure).toBe("error running prestart hook #0: signal 9");
  });

  kernelTest("says why a hook cannot be executed", [], () => {
    const failure = failureOf(() => runHooks("prestart", [{ path: "/proc/nonexistent" }], context));

    expect(failure).toBe("error running prestart hook #0: cannot be executed: ENOENT");
  });

  kernelTest("kills a hook and its children when the timeout is over", [], async () => {
    const hook = shell("sleep 31.4159 & sleep 31.4159", { timeout: 1 });

    const failure = failureOf(() => runHooks("poststart", [hook], context));

    expect(failure).toBe("error running poststart hook #0: timed out, and was killed");
    // Killed, and nobody waits for the child to end.
    const found = () => Bun.spawnSync(["pgrep", "-f", "sleep 31[.]4159"]).stdout.toString();
    await until("both have ended", () => found() === "");
  });

  kernelTest("kills one in a PID namespace, where process ids are low", ["root"], async () => {
    const program = programWithReport();
    const hook = shell("sleep 31.4159 & sleep 31.4159", { timeout: 1 });
    const state = inheritedFd(0);
    planHook(program, hook, { kind: "createContainer", index: 0, state, ignoredSignals: [] });
    program.exit_group(0);

    const stdin = openSync("/dev/null", "r");
    const options = { namespaces: CLONE_NEWPID, inherit: [stdin] };
    const spawned = spawnProgram(executableOf(finishProgram(program)), options);
    closeSync(stdin);
    await pollForExit(spawned.pidfd);
    const failure = readHookFailure(spawned.report.bytes);
    spawned.release();

    expect(failure?.outcome).toEqual({ timedOut: true });
  });

  kernelTest("keeps the timeout of a hook that never stops printing", [], () => {
    const failure = failureOf(() =>
      runHooks("poststart", [shell("while :; do echo spam; done", { timeout: 1 })], context),
    );

    expect(failure).toStartWith("error running poststart hook #0: timed out, and was killed, output: ");
    expect(failure.length).toBeLessThan(4096);
  });

  kernelTest("keeps the end of a long output", [], () => {
    const failure = failureOf(() => runHooks("prestart", [shell("seq 1 50000; exit 1")], context));

    expect(failure).toEndWith("\n49998\n49999\n50000");
    expect(failure.length).toBeLessThan(4096);
  });

  kernelTest("waits for the hook, not for a daemon that keeps its output", [], ({ directory }) => {
    runHooks("prestart", [shell(`sleep 1000 & echo $! >${directory}/pid`)], context);

    const pid = Number(readFileSync(`${directory}/pid`, "utf8"));
    process.kill(pid, "SIGKILL");
  });

  kernelTest("waits for a hook that has closed its output", [], ({ directory }) => {
    const script = `exec >&- 2>&-; sleep 0.2; touch ${directory}/late; exit 5`;

    const failure = failureOf(() => runHooks("prestart", [shell(script)], context));

    expect(failure).toBe("error running prestart hook #0: exit status 5");
  });
});

describe("runLateHooks()", () => {
  kernelTest("warns of a hook that fails, and runs the next", [], ({ directory }) => {
    const warnings: string[] = [];

    runLateHooks("poststop", [shell("exit 1"), shell(`echo ran >${directory}/out`)], {
      ...context,
      warn: (message) => warnings.push(message),
    });

    expect(warnings).toEqual(["error running poststop hook #0: exit status 1"]);
    expect(readFileSync(`${directory}/out`, "utf8")).toBe("ran\n");
  });
});

function failureOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HookError) return error.message;
    throw error;
  }
  return "";
}
