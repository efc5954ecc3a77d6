/** How a run ends: exit codes, signals, `--init`, and what happens when bunker itself is killed. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { PR_SET_PDEATHSIG } from "../../../src/linux/abi/sched.ts";
import { FIRST_ADDRESS, writeExecutable } from "../../../src/linux/elf.ts";
import { encodeProgram } from "../../../src/linux/encode.ts";
import { Program } from "../../../src/linux/program.ts";
import { titleOf, whyMissing } from "../../helpers/requires.ts";
import { kernelTest, Sandbox } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

const reason = whyMissing(RUN_NEEDS);
const CODES_MS_MAX = 180_000;
/** Longer than a run takes to start, with the sources to be read. */
const KILL_MS_MAX = 90;

describe("the exit code", () => {
  test.skipIf(reason !== undefined)(
    titleOf("is the command's own, from 0 to 255", reason),
    async () => {
      await using sandbox = new Sandbox();
      const app = await App.install(sandbox);
      const codes = [
        0, 1, 2, 3, 7, 42, 63, 64, 100, 124, 125, 126, 127, 128, 129, 130, 137, 143, 200, 254, 255,
      ];

      const seen: (number | null)[] = [];
      for (const code of codes) seen.push((await app.run([], ["/bin/sh", "-c", `exit ${code}`])).exitCode);

      expect(seen).toEqual(codes);
    },
    CODES_MS_MAX,
  );

  kernelTest("is 128 + n when signal n killed the command", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const seen: (number | null)[] = [];
    for (const signal of [6, 9, 15]) {
      // Process 1 has no default actions: only a signal from a parent namespace, or SIGKILL, would end it.
      const script = `sh -c 'kill -${signal} $$'; exit $?`;
      seen.push((await app.run([], ["/bin/sh", "-c", script])).exitCode);
    }

    expect(seen).toEqual([134, 137, 143]);
  });

  kernelTest("is 127 for a command that is not there", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const path = await app.run([], ["/bin/missing"]);
    const name = await app.run([], ["missing"]);

    expect([path.exitCode, name.exitCode]).toEqual([127, 127]);
    expect(path.stderr).toMatch(/^bunker: Cannot find the command "\/bin\/missing": no such file\n/);
    expect(name.stderr).toMatch(/^bunker: Cannot find the command "missing" in the container's \$PATH/);
  });

  kernelTest("is 126 for a command that cannot be executed", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, {
      entries: [{ name: "bin/script", data: "no program\n", mode: 0o755 }],
    });

    for (const command of ["/etc/passwd", "/etc", "/bin/script"]) {
      const { exitCode, stderr } = await app.run([], [command]);

      expect({ command, exitCode }).toEqual({ command, exitCode: 126 });
      expect(stderr).toStartWith(`bunker: Cannot execute "${command}"`);
    }
  });

  kernelTest("is 127 for a script whose interpreter is not there", RUN_NEEDS, async (sandbox) => {
    const data = "#!/usr/bin/missing\n";
    const app = await App.install(sandbox, { entries: [{ name: "bin/script", data, mode: 0o755 }] });

    const { exitCode, stderr } = await app.run([], ["/bin/script"]);

    expect(exitCode).toBe(127);
    expect(stderr).toContain("interpreter");
  });

  kernelTest("is 125 for what bunker cannot do", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const flag = await app.run(["--no-such-flag"], ["/bin/true"]);
    const image = await sandbox.bunker(["run", "--pull=never", "no-such-image"], {
      program: "bun run src/main.ts",
    });

    expect([flag.exitCode, image.exitCode]).toEqual([125, 125]);
  });
});

const trap =
  "trap 'echo got TERM; exit 3' TERM; trap 'echo got INT; exit 4' INT; trap 'echo got USR1; exit 5' USR1; " +
  "trap 'echo got HUP; exit 6' HUP; echo ready; while :; do sleep 0.05; done";

describe("a signal to bunker", () => {
  for (const [signal, exitCode] of [
    ["TERM", 3],
    ["INT", 4],
    ["USR1", 5],
    ["HUP", 6],
  ] as const) {
    kernelTest(`reaches the command: SIG${signal}`, RUN_NEEDS, async (sandbox) => {
      const app = await App.install(sandbox);
      await using running = app.start([], ["/bin/sh", "-c", trap]);
      await running.output("ready\n");

      running.kill(`SIG${signal}`);

      expect(await running.rest()).toBe(`ready\ngot ${signal}\n`);
      expect(await running.exited).toBe(exitCode);
    });
  }

  kernelTest(
    "that the command has no handler for does not end it, as process 1 has it",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      await using running = app.start(["-i"], ["/bin/sh", "-c", "echo ready; read line; echo $line"]);
      await running.output("ready\n");

      running.kill("SIGTERM");
      running.type("still here\n");

      expect(await running.rest()).toBe("ready\nstill here\n");
      expect(await running.exited).toBe(0);
    },
  );

  kernelTest("SIGINT for the third time kills the container", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    await using running = app.start(
      [],
      ["/bin/sh", "-c", "trap 'echo again' INT; echo ready; while :; do sleep 0.05; done"],
    );
    await running.output("ready\n");

    // One after the other: of two that come at once the kernel keeps one.
    for (const count of [1, 2]) {
      running.kill("SIGINT");
      await running.output("again\n".repeat(count));
    }
    running.kill("SIGINT");

    expect(await running.exited).toBe(137);
    expect(await running.rest()).toStartWith("ready\nagain\nagain\n");
  });
});

describe("SIGKILL of bunker", () => {
  kernelTest("ends the container, and the next run removes what is left", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    await using running = app.start([], ["/bin/sh", "-c", "touch /left; echo ready; sleep 1000"]);
    await running.output("ready\n");

    running.kill("SIGKILL");
    await running.exited;
    // The end of the output is the end of the command.
    await running.rest();
    expect(readdirSync(`${sandbox.root}/c`)).toHaveLength(1);
    await app.sh("true");

    expect(readdirSync(`${sandbox.root}/c`)).toEqual([]);
  });

  kernelTest("ends, at the next run, a command that asked not to end with it", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, {
      entries: [{ name: "bin/outlive", data: outliveProgram(), mode: 0o755 }],
    });
    await using running = app.start([], ["/bin/outlive"]);
    await running.output("ready\n");

    running.kill("SIGKILL");
    await running.exited;
    await app.sh("true");

    expect(await running.rest()).toBe("ready\n");
    expect(readdirSync(`${sandbox.root}/c`)).toEqual([]);
  });

  kernelTest(
    "at any moment leaves nothing that the next run does not remove",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      await app.sh("true");

      for (let delayMs = 5; delayMs <= KILL_MS_MAX; delayMs += 2) {
        const running = app.start(["--name", "one"], ["/bin/sh", "-c", "touch /left; exec sleep 1000"]);
        await Bun.sleep(delayMs);
        running.kill("SIGKILL");
        await running.exited;
        await running.rest();
      }
      await app.sh("true", ["--name", "one"]);

      expect(readdirSync(`${sandbox.root}/c`)).toEqual([]);
      expect(await sandbox.leftBehind()).toEqual([]);
    },
    CODES_MS_MAX,
  );

  kernelTest("leaves the directory of a container that runs alone", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    await using running = app.start(["-i"], ["/bin/sh", "-c", "echo a > /a; echo ready; read line; cat /a"]);
    await running.output("ready\n");

    await app.sh("true");
    running.type("\n");

    expect(await running.rest()).toBe("ready\na\n");
  });
});

describe("--init", () => {
  kernelTest("is process 1, the command another", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("echo $PPID; [ $$ -gt 1 ] && echo child", ["--init"]);

    expect(output).toBe("1\nchild\n");
  });

  kernelTest("reaps orphans", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    // A zombie is listed by its name, too.
    const script =
      "for i in 1 2 3; do sh -c 'sleep 0.05 & exit 0'; done; while ps -o comm | grep -q sleep; do :; done; echo reaped";

    expect(await app.sh(script, ["--init"])).toBe("reaped\n");
    expect(await app.sh("sh -c 'sleep 0.05 & exit 0'; exec sleep 0.4", ["--init"])).toBe("");
  });

  kernelTest("ends with the command's exit code, or 128 + n", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const code = await app.run(["--init"], ["/bin/sh", "-c", "exit 42"]);
    const killed = await app.run(["--init"], ["/bin/sh", "-c", "kill -9 $$"]);
    const missing = await app.run(["--init"], ["/bin/missing"]);

    expect([code.exitCode, killed.exitCode, missing.exitCode]).toEqual([42, 137, 127]);
  });

  kernelTest("passes signals on", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    await using running = app.start(["--init"], ["/bin/sh", "-c", trap]);
    await running.output("ready\n");

    running.kill("SIGTERM");

    expect(await running.rest()).toBe("ready\ngot TERM\n");
    expect(await running.exited).toBe(3);
  });

  kernelTest("lets a command that handles no SIGTERM be ended by it", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    await using running = app.start(["--init"], ["/bin/sh", "-c", "echo ready; exec sleep 1000"]);
    await running.output("ready\n");

    running.kill("SIGTERM");

    expect(await running.exited).toBe(143);
  });

  kernelTest("ends all of the container when the command ends", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    // It has the output, whose end is waited for, and not as long as it would take.
    const { exitCode } = await app.run(["--init"], ["/bin/sh", "-c", "sleep 1000 & exit 0"]);

    expect(exitCode).toBe(0);
  });
});

describe("a run that fails", () => {
  kernelTest("leaves nothing, at whatever step", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const failing = [
      ["-u", "nobody-here"],
      ["-w", "/etc/passwd/x"],
      ["--mount", "type=bind,src=/missing,dst=/x"],
    ];

    for (const flags of failing) await app.run(flags, ["/bin/true"]);

    expect(readdirSync(`${sandbox.root}/c`)).toEqual([]);
  });
});

/** Does not die with its parent, and sleeps. */
function outliveProgram(): Uint8Array {
  const program = new Program();
  program.prctl(PR_SET_PDEATHSIG, 0);
  program.execve("/bin/sh", ["sh", "-c", "echo ready; exec sleep 1000"], ["PATH=/bin"]);
  program.place(program.giveUp).exit_group(1);
  return writeExecutable(encodeProgram(program, FIRST_ADDRESS).bytes);
}
