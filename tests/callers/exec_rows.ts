/** Rows of podman and docker: further commands in a running container, and what is said about it. */
import { expect } from "bun:test";
import { type Engine, IMAGE, NAME, SHOW_SIZE } from "./engine.ts";
import { until } from "./host.ts";
import { APP_ID } from "./image.ts";
import { says } from "./life_rows.ts";
import type { Rows } from "./row.ts";

const SLEEPS = ["sleep", "1000"];

export const execRows: Rows<Engine> = {
  "exec: hands on output, error output and exit code": async (engine) => {
    await engine.background([], SLEEPS);

    const result = await engine.run(["exec", NAME, "sh", "-c", "echo out; echo err >&2; exit 17"]);

    expect(result).toMatchObject({ exitCode: 17, stdout: "out\n", stderr: "err\n" });
  },

  "exec -i: hands on standard input to its end": async (engine) => {
    await engine.background([], SLEEPS);

    expect(await engine.run(["exec", "-i", NAME, "wc", "-c"], { stdin: "123" })).toMatchObject({
      exitCode: 0,
      stdout: "3\n",
    });
  },

  "exec: is in the container's namespaces and control groups": async (engine) => {
    await engine.background(["--hostname=inside"], SLEEPS);
    const show = "hostname; readlink /proc/1/ns/pid; readlink /proc/self/ns/pid; cat /proc/1/cgroup";

    const [first, own] = await Promise.all([
      engine.exec(["sh", "-c", `${show}`]),
      engine.exec(["sh", "-c", `${show.replaceAll("/proc/1/", "/proc/self/")}`]),
    ]);

    expect(own).toBe(first);
    expect(own).toStartWith("inside\n");
  },

  "exec -it: a terminal with its size, and the exit code": async (engine) => {
    await engine.background([], SLEEPS);
    await using screen = engine.screen();

    screen.type(`$C exec -it -e PS1='box> ' ${NAME} sh; echo code $?`);
    await screen.until(/^box>$/m);
    screen.type(`${SHOW_SIZE}; exit 9`);

    await screen.until(/^30 100$[\s\S]*^code 9$/m);
  },

  "exec -d: goes on by itself": async (engine) => {
    await engine.background([], SLEEPS);

    await engine.succeed(["exec", "-d", NAME, "sh", "-c", "echo done > /tmp/made"]);

    await until(
      "it has run",
      async () => (await engine.run(["exec", NAME, "cat", "/tmp/made"])).stdout === "done\n",
    );
  },

  "exec -u, -w, -e: user with groups, directory, variables": async (engine) => {
    await engine.background([], SLEEPS);
    const command = ["sh", "-c", "id -u; id -G; pwd; echo $COLOUR"];

    const shown = await engine.succeed([
      "exec",
      "-u",
      "app",
      "-w",
      "/www",
      "-e",
      "COLOUR=red",
      NAME,
      ...command,
    ]);

    const [uid, groups, ...rest] = shown.split("\n");
    expect([uid, rest]).toEqual([String(APP_ID), ["/www", "red"]]);
    expect(groups?.split(" ").sort()).toEqual([String(APP_ID), "2000"]);
  },

  "exec --privileged: has all capabilities": async (engine) => {
    await engine.background(["--cap-drop=ALL"], SLEEPS);

    const plain = await engine.exec(["grep", "CapEff", "/proc/self/status"]);
    const privileged = await engine.succeed([
      "exec",
      "--privileged",
      NAME,
      "grep",
      "CapEff",
      "/proc/self/status",
    ]);

    expect(plain).toMatch(/\t0{16}$/);
    expect(privileged).not.toMatch(/\t0{16}$/);
  },

  "exec: exit codes 127 and 126 for what is missing or no program": async (engine) => {
    await engine.background([], SLEEPS);

    const missing = await engine.run(["exec", NAME, "no-such-command"]);
    const plain = await engine.run(["exec", NAME, "/etc/plain"]);

    // dockerd 20.10 knows only one code for a command that does not start.
    expect([missing.exitCode, plain.exitCode]).toEqual([engine.kind === "podman" ? 127 : 126, 126]);
    expect(`${missing.stdout}${missing.stderr}`).toContain("no-such-command");
    expect(await engine.inspect("{{.State.Status}}")).toBe("running");
  },

  "exec: is refused when the container is paused or has ended": async (engine) => {
    await engine.background([], SLEEPS);
    await engine.succeed(["pause", NAME]);
    const paused = await engine.run(["exec", NAME, "true"]);
    await engine.succeed(["unpause", NAME]);
    await engine.succeed(["kill", NAME]);
    await engine.succeed(["wait", NAME]);

    const ended = await engine.run(["exec", NAME, "true"]);

    expect([paused.exitCode === 0, ended.exitCode === 0]).toEqual([false, false]);
  },

  "exec: its processes end with the container": async (engine) => {
    await engine.background([], SLEEPS);
    await engine.succeed(["exec", "-d", NAME, "sleep", "999"]);
    await until("it runs", () => engine.host.state().some((line) => line.includes("sleep 999")));

    await engine.succeed(["kill", NAME]);
    await engine.succeed(["wait", NAME]);

    await until("it has ended", () => !engine.host.state().some((line) => line.includes("sleep 999")));
  },

  "top: lists the processes": async (engine) => {
    await engine.background([], ["sh", "-c", "sleep 1000 & wait"]);

    const table = await engine.succeed(["top", NAME]);

    expect(table.split("\n").filter((line) => /sleep 1000/.test(line)).length).toBeGreaterThan(0);
  },

  "stats: memory, its limit, and the number of processes": async (engine) => {
    await engine.background(["--memory=64m"], ["sh", "-c", "sleep 1000 & echo up; wait"]);
    await says(engine, "up");

    const line = await engine.succeed(["stats", "--no-stream", "--format", "{{.MemUsage}}|{{.PIDs}}", NAME]);

    expect(line).toMatch(/^[0-9.]+ ?[kKM]i?B \/ (64MiB|67\.11MB)\|2$/);
  },

  "cp: files to and from a running container": async (engine) => {
    await engine.background(["--tmpfs=/scratch"], SLEEPS);
    const [source, back] = [`${engine.host.directory}/in`, `${engine.host.directory}/out`];
    await Bun.write(source, "copied\n");

    await engine.succeed(["cp", source, `${NAME}:/tmp/file`]);
    await engine.exec(["sh", "-c", "cat /tmp/file /seed/file > /tmp/both"]);
    await engine.succeed(["cp", `${NAME}:/tmp/both`, back]);

    expect(await Bun.file(back).text()).toBe("copied\nseed\n");
  },

  "inspect: names the runtime that was asked for": async (engine) => {
    await engine.background([], SLEEPS);
    const format = engine.kind === "podman" ? "{{.OCIRuntime}}" : "{{.HostConfig.Runtime}}";

    expect(await engine.inspect(format)).toMatch(
      engine.kind === "podman" ? /^\/.*(bunker-oci|runc|crun)$/ : /^added$/,
    );
    expect(await engine.inspect("{{.Config.Image}}")).toContain(IMAGE);
  },
};
