/** Rows of podman and docker: a container from its start to its end. */
import { expect } from "bun:test";
import { type Engine, IMAGE, NAME, SHOW_SIZE } from "./engine.ts";
import { until } from "./host.ts";
import type { Rows } from "./row.ts";

/** A command that ends by itself only when it is told to. */
const WAITS = [
  "sh",
  "-c",
  "trap 'echo got TERM; exit 7' TERM; trap 'echo got USR1' USR1; echo up; while :; do sleep 0.1; done",
];

/** Does not react to SIGTERM, as no pid 1 without a handler does. */
const SLEEPS = ["sleep", "1000"];

export const lifeRows: Rows<Engine> = {
  "run: hands on output, error output and exit code": async (engine) => {
    const result = await engine.run(["run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 23"]);

    expect(result).toMatchObject({ exitCode: 23, stdout: "out\n", stderr: "err\n" });
  },

  "run -i: hands on standard input to its end": async (engine) => {
    const result = await engine.run(["run", "--rm", "-i", IMAGE, "wc", "-c"], { stdin: "12345" });

    expect(result).toMatchObject({ exitCode: 0, stdout: "5\n" });
  },

  "run: exit code 127 for a missing command, with its name": async (engine) => {
    const result = await engine.run(["run", "--rm", IMAGE, "no-such-command"]);

    expect(result.exitCode).toBe(127);
    expect(result.stderr).toContain("no-such-command");
  },

  "run: exit code 126 for a file that cannot be executed": async (engine) => {
    const { exitCode, stderr } = await engine.run(["run", "--rm", IMAGE, "/etc/plain"]);

    expect([exitCode, stderr.toLowerCase()]).toEqual([126, expect.stringContaining("permission denied")]);
  },

  "run: exit code 137 when the command is killed": async (engine) => {
    const { exitCode } = await engine.run(["run", "--rm", "--init", IMAGE, "sh", "-c", "kill -9 $$"]);

    expect(exitCode).toBe(137);
  },

  "run --rm: leaves no container": async (engine) => {
    await engine.once([], ["true"]);

    expect(await engine.succeed(["ps", "-aq"])).toBe("");
  },

  "run -it: a terminal with a prompt, its size, and the exit code": async (engine) => {
    await using screen = engine.screen();

    screen.type(`$C run --rm -it -e PS1='box> ' ${IMAGE}; echo code $?`);
    await screen.until(/^box>$/m);
    screen.type(`${SHOW_SIZE}; tty; exit 9`);

    await screen.until(/^30 100$[\s\S]*^\/dev\/(pts\/0|console)$[\s\S]*^code 9$/m);
  },

  "run -it: Ctrl-C reaches the command": async (engine) => {
    await using screen = engine.screen();

    screen.type(
      `$C run --rm -it ${IMAGE} sh -c 'trap "exit 44" INT; echo up; while :; do sleep .1; done'; echo code $?`,
    );
    await screen.until(/up$/m);
    screen.press("C-c");

    await screen.until(/code 44$/m);
  },

  "run -d, logs: keeps both outputs in order": async (engine) => {
    await engine.background([], ["sh", "-c", "echo one; echo two >&2; exit 3"]);

    expect(await engine.succeed(["wait", NAME])).toBe("3");
    const { stdout, stderr } = await engine.run(["logs", NAME]);
    expect([stdout, stderr]).toEqual(["one\n", "two\n"]);
  },

  "create, start -a: the command starts with start, not before": async (engine) => {
    await engine.succeed(["create", "--name", NAME, IMAGE, "echo", "started"]);

    expect(await engine.inspect("{{.State.Status}}")).toBe("created");
    expect(await engine.succeed(["start", "-a", NAME])).toBe("started");
    expect(await engine.inspect("{{.State.Status}} {{.State.ExitCode}}")).toBe("exited 0");
  },

  "stop: SIGTERM, and the exit code of the handler": async (engine) => {
    await engine.background([], WAITS);
    await says(engine, "up");

    await engine.succeed(["stop", NAME]);

    expect(await engine.inspect("{{.State.ExitCode}}")).toBe("7");
    expect(await engine.succeed(["logs", NAME])).toContain("got TERM");
  },

  "stop -t: SIGKILL for what does not end": async (engine) => {
    await engine.background([], SLEEPS);

    await engine.succeed(["stop", "-t", "1", NAME]);

    expect(await engine.inspect("{{.State.ExitCode}}")).toBe("137");
  },

  "kill: SIGKILL": async (engine) => {
    await engine.background([], SLEEPS);

    await engine.succeed(["kill", NAME]);

    expect(await engine.succeed(["wait", NAME])).toBe("137");
  },

  "kill -s: another signal, and the container goes on": async (engine) => {
    await engine.background([], WAITS);
    await says(engine, "up");

    await engine.succeed(["kill", "-s", "USR1", NAME]);

    await says(engine, "got USR1");
    expect(await engine.inspect("{{.State.Status}}")).toBe("running");
  },

  "pause, unpause: nothing moves in between": async (engine) => {
    // Not the log, into which the engine may still be writing what came before.
    const directory = engine.host.makeDirectory("ticks");
    const size = (): number => Bun.file(`${directory}/file`).size;
    const tick = ["sh", "-c", "while :; do echo >> /ticks/file; sleep 0.05; done"];
    await engine.background(["-v", `${directory}:/ticks`], tick);
    await until("it ticks", () => size() > 0);

    await engine.succeed(["pause", NAME]);
    expect(await engine.inspect("{{.State.Status}}")).toBe("paused");
    const paused = size();
    await Bun.sleep(300);
    expect(size()).toBe(paused);

    await engine.succeed(["unpause", NAME]);
    expect(await engine.inspect("{{.State.Status}}")).toBe("running");
    await until("it goes on", () => size() > paused);
  },

  "restart: another process of the same container": async (engine) => {
    await engine.background([], SLEEPS);
    await engine.exec(["touch", "/tmp/kept"]);
    const pid = await engine.inspect("{{.State.Pid}}");

    await engine.succeed(["restart", "-t", "0", NAME]);

    expect(await engine.inspect("{{.State.Pid}}")).not.toBe(pid);
    expect(await engine.exec(["ls", "/tmp"])).toBe("kept");
  },

  "start: a container that has ended runs again": async (engine) => {
    await engine.background([], ["sh", "-c", "echo run; exit 4"]);
    await engine.succeed(["wait", NAME]);

    await engine.succeed(["start", NAME]);

    expect(await engine.succeed(["wait", NAME])).toBe("4");
    expect(await engine.succeed(["logs", NAME])).toBe("run\nrun");
  },

  "run --restart=on-failure: starts again as often as it may": async (engine) => {
    await engine.background(["--restart=on-failure:2"], ["sh", "-c", "echo run; exit 1"]);

    await until("three runs", async () => (await engine.succeed(["logs", NAME])) === "run\nrun\nrun");
    await until("it has ended", async () => (await engine.inspect("{{.State.Status}}")) === "exited");
  },

  "rm: refuses what runs; rm -f ends it": async (engine) => {
    await engine.background([], SLEEPS);

    expect((await engine.run(["rm", NAME])).exitCode).not.toBe(0);
    await engine.succeed(["rm", "-f", ...(engine.kind === "podman" ? ["-t", "0"] : []), NAME]);

    expect(await engine.succeed(["ps", "-aq"])).toBe("");
  },

  "rm -f: a paused container": async (engine) => {
    await engine.background([], SLEEPS);
    await engine.succeed(["pause", NAME]);

    await engine.succeed(["rm", "-f", ...(engine.kind === "podman" ? ["-t", "0"] : []), NAME]);

    expect(await engine.succeed(["ps", "-aq"])).toBe("");
  },

  "attach: joins the outputs of a running container": async (engine) => {
    await engine.background([], ["sh", "-c", "until [ -e /tmp/end ]; do echo tick; sleep 0.1; done"]);
    await using screen = engine.screen();

    screen.type(`$C attach --no-stdin ${NAME}; echo code $?`);
    await screen.until(/^tick\ntick$/m);
    await engine.exec(["touch", "/tmp/end"]);

    await screen.until(/^tick\s+code 0$/m);
  },

  "events: start, and the end with its exit code": async (engine) => {
    const since = Math.floor(Date.now() / 1000);
    await engine.background([], ["sh", "-c", "exit 5"]);
    await engine.succeed(["wait", NAME]);
    const ended = engine.kind === "podman" ? "died" : "die";

    // The other rows have had containers of the same name.
    const filters = ["--filter", `container=${await engine.inspect("{{.Id}}")}`, "--format", "{{json .}}"];
    const events = await engine.events(since, filters, (text) => text.includes(`"${ended}"`));

    expect(events).toMatch(/"start"/);
    expect(events).toMatch(new RegExp(`"${ended}"[^\n]*5|5[^\n]*"${ended}"`));
  },

  "run: ten at once, each with its own output": async (engine) => {
    const numbers = Array.from({ length: 10 }, (_, index) => String(index));

    const outputs = await Promise.all(
      numbers.map((number) => engine.once(["--network=none"], ["echo", number])),
    );

    expect(outputs).toEqual(numbers);
  },
};

/** Waits until the log of the container has a word. */
export async function says(engine: Engine, word: string): Promise<void> {
  await until(`the log says ${word}`, async () => (await engine.succeed(["logs", NAME])).includes(word));
}
