/** Rows of containerd, by its own client. */
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { type Containerd, IMAGE, NAME } from "./containerd.ts";
import { SHOW_SIZE } from "./engine.ts";
import { until } from "./host.ts";
import { APP_ID } from "./image.ts";
import type { CallerTests, Rows } from "./row.ts";

const SLEEPS = ["sleep", "1000"];

const lifeRows: Rows<Containerd> = {
  "run: hands on output, error output and exit code": async (ctr) => {
    const result = await ctr.once([], ["sh", "-c", "echo out; echo err >&2; exit 23"]);

    expect(result).toMatchObject({ exitCode: 23, stdout: "out\n", stderr: "err\n" });
  },

  "run: hands on standard input to its end": async (ctr) => {
    const result = await ctr.once([], ["head", "-n", "1"], { stdin: "12345\n" });

    expect(result).toMatchObject({ exitCode: 0, stdout: "12345\n" });
  },

  "run: names the command that is missing": async (ctr) => {
    const { exitCode, stderr } = await ctr.run([
      "run",
      "--rm",
      ...ctr.runtimeFlags,
      IMAGE,
      NAME,
      "no-such-command",
    ]);

    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("no-such-command")]);
    expect(stderr).toMatch(/not found|no such file/i);
  },

  "run -t: a terminal, and the exit code": async (ctr) => {
    await using screen = ctr.screen();

    screen.type(`$R --rm -t --env PS1='box>' ${IMAGE} ${NAME} sh; echo code $?`);
    await screen.until(/^box>$/m);
    screen.type(`${SHOW_SIZE}; exit 9`);

    await screen.until(/^30 100$[\s\S]*^code 9$/m);
  },

  "run -d: is listed with its pid while it runs": async (ctr) => {
    await ctr.background([], SLEEPS);

    expect(await ctr.succeed(["tasks", "ls"])).toMatch(/^box +\d+ +RUNNING/m);
    expect(await ctr.succeed(["tasks", "ps", NAME])).toMatch(/^\d+ /m);
  },

  "tasks kill: SIGTERM, and the exit code of the handler": async (ctr) => {
    const directory = ctr.host.makeDirectory("up");
    const mount = `--mount=type=bind,src=${directory},dst=/up,options=rbind:rw`;
    const command = ["sh", "-c", "trap 'exit 7' TERM; touch /up/now; while :; do sleep 0.1; done"];
    const running = ctr.once([mount], command);
    await until("it is up", () => existsSync(`${directory}/now`));

    await ctr.succeed(["tasks", "kill", NAME]);

    expect((await running).exitCode).toBe(7);
  },

  "tasks kill -s SIGKILL: what does not listen ends": async (ctr) => {
    await ctr.background([], SLEEPS);

    await ctr.succeed(["tasks", "kill", "-s", "SIGKILL", NAME]);

    await until("it has ended", async () => (await ctr.status()) === "STOPPED");
  },

  "tasks kill --all: every process of the container": async (ctr) => {
    await ctr.background([], ["sh", "-c", "sleep 999 & sleep 998 & wait"]);
    await until(
      "they run",
      () => ctr.host.state().filter((line) => /sleep 99[89] $/.test(line)).length === 2,
    );

    await ctr.succeed(["tasks", "kill", "--all", "-s", "SIGKILL", NAME]);

    await until("it has ended", async () => (await ctr.status()) === "STOPPED");
    expect(ctr.host.state().filter((line) => /sleep 99[89] $/.test(line))).toEqual([]);
  },

  "tasks rm: refuses what runs; --force ends it": async (ctr) => {
    await ctr.background([], SLEEPS);

    expect((await ctr.run(["tasks", "rm", NAME])).exitCode).not.toBe(0);
    await ctr.run(["tasks", "rm", "--force", NAME]);

    expect(await ctr.status()).toBeUndefined();
  },

  "tasks pause, resume: nothing moves in between": async (ctr) => {
    const directory = ctr.host.makeDirectory("ticks");
    const mount = `--mount=type=bind,src=${directory},dst=/ticks,options=rbind:rw`;
    await ctr.background([mount], ["sh", "-c", "while :; do echo >> /ticks/file; sleep 0.05; done"]);
    const size = (): number => Bun.file(`${directory}/file`).size;
    await until("it ticks", () => size() > 0);

    await ctr.succeed(["tasks", "pause", NAME]);
    expect(await ctr.status()).toBe("PAUSED");
    const paused = size();
    await Bun.sleep(300);
    expect(size()).toBe(paused);

    await ctr.succeed(["tasks", "resume", NAME]);
    await until("it goes on", () => size() > paused);
  },

  "tasks metrics: memory and processes": async (ctr) => {
    await ctr.background([], SLEEPS);

    const table = await ctr.succeed(["tasks", "metrics", NAME]);

    expect(table).toMatch(/^pids\.current +1 *$/m);
    expect(table).toMatch(/^memory\.usage(_in_bytes)? +[1-9]/m);
  },
};

const execRows: Rows<Containerd> = {
  "tasks exec: hands on output, error output and exit code": async (ctr) => {
    await ctr.background([], SLEEPS);

    const result = await ctr.exec(["sh", "-c", "echo out; echo err >&2; exit 17"]);

    expect(result).toMatchObject({ exitCode: 17, stdout: "out\n", stderr: "err\n" });
  },

  "tasks exec -t: a terminal, and the exit code": async (ctr) => {
    await ctr.background([], SLEEPS);
    await using screen = ctr.screen();

    screen.type(`$C tasks exec --exec-id one -t ${NAME} sh; echo code $?`);
    await screen.until(/^\/ #$/m);
    screen.type(`${SHOW_SIZE}; tty; exit 9`);

    await screen.until(/^30 100$[\s\S]*^\/dev\/(pts\/\d|console)$[\s\S]*^code 9$/m);
  },

  "tasks exec --user, --cwd: are in force": async (ctr) => {
    await ctr.background([], SLEEPS);

    const { stdout } = await ctr.exec(
      ["sh", "-c", "id -u; pwd"],
      ["--user", `${APP_ID}:${APP_ID}`, "--cwd", "/www"],
    );

    expect(stdout).toBe(`${APP_ID}\n/www\n`);
  },

  "tasks exec -d: goes on by itself": async (ctr) => {
    await ctr.background([], SLEEPS);

    await ctr.execDirectly(["sleep", "999"], ["--detach"]);

    await until("it runs", () => ctr.host.state().some((line) => line.includes("sleep 999")));
  },

  "tasks exec: names the command that is missing": async (ctr) => {
    await ctr.background([], SLEEPS);

    const { exitCode, stderr } = await ctr.execDirectly(["no-such-command"]);

    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("no-such-command")]);
    expect(await ctr.status()).toBe("RUNNING");
  },
};

const isolationRows: Rows<Containerd> = {
  "run --memory-limit: the command that takes more is killed": async (ctr) => {
    const { exitCode } = await ctr.once(["--memory-limit", String(16 << 20)], ["tail", "/dev/zero"]);

    expect(exitCode).toBe(137);
  },

  "run --cpus: a busy command is held back": async (ctr) => {
    await ctr.background(["--cpus=0.2"], ["sh", "-c", "while :; do :; done"]);
    const files = "cat /sys/fs/cgroup/cpu/default/box/cpu.stat || cat /sys/fs/cgroup/default/box/cpu.stat";

    await until("it is held back", async () => {
      const { stdout } = await ctr.host.run(["sh", "-c", files]);
      return Number(/^nr_throttled (\d+)$/m.exec(stdout)?.[1]) > 0;
    });
  },

  "run --env, --cwd: are in force": async (ctr) => {
    const options = ["--env", "COLOUR=green", "--cwd", "/www"];

    expect(await ctr.show(options, ["sh", "-c", "echo $COLOUR; pwd"])).toBe("green\n/www");
  },

  "run --cap-drop, --cap-add: what is left": async (ctr) => {
    const status = await ctr.show(
      ["--cap-drop=CAP_CHOWN", "--cap-add=CAP_NET_ADMIN"],
      ["grep", "CapEff", "/proc/self/status"],
    );
    const set = Number.parseInt(status.split("\t")[1] ?? "", 16);

    expect([set & 1, set & (1 << 12)]).toEqual([0, 1 << 12]);
  },

  "run --seccomp: a filter": async (ctr) => {
    expect(await ctr.show(["--seccomp"], ["grep", "Seccomp:", "/proc/self/status"])).toBe("Seccomp:\t2");
  },

  "run --read-only: nothing can be written": async (ctr) => {
    const { exitCode, stderr } = await ctr.once(["--read-only"], ["touch", "/new"]);

    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("Read-only file system")]);
  },

  "run --mount: a directory of the host, read-only": async (ctr) => {
    const directory = ctr.host.makeDirectory("shared");
    await Bun.write(`${directory}/file`, "shared\n");
    const mount = `--mount=type=bind,src=${directory},dst=/inner,options=rbind:ro`;

    const { stdout, stderr } = await ctr.once([mount], ["sh", "-c", "cat /inner/file; touch /inner/new"]);

    expect([stdout, stderr]).toEqual(["shared\n", expect.stringContaining("Read-only file system")]);
  },

  "run --net-host, --with-ns: the namespaces that are named": async (ctr) => {
    const show = ["sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc"];
    const own = await ctr.host.succeed(show);

    const shown = await ctr.show(["--net-host", "--with-ns", "ipc:/proc/1/ns/ipc"], show);

    expect(shown).toBe(own);
  },

  "run --uidmap, --gidmap: root of the container is another user outside": async (ctr) => {
    const maps = ["--uidmap=0:10000:1000", "--gidmap=0:20000:1000"];

    const shown = await ctr.show(maps, [
      "sh",
      "-c",
      "id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /seed/file",
    ]);

    expect(shown.split("\n").map((line) => line.trim().split(/ +/).join(" "))).toEqual([
      "0",
      "0 10000 1000",
      "0 20000 1000",
      "0:0",
    ]);
  },

  "run --rootfs: a directory as root": async (ctr) => {
    const root = ctr.host.makeDirectory("rootfs/bin");
    await ctr.host.succeed([
      "sh",
      "-c",
      `cp "$(command -v busybox)" ${root}/busybox; for each in dev proc sys run etc; do mkdir -p ${root}/../$each; done`,
    ]);

    const { stdout } = await ctr.run([
      "run",
      "--rm",
      ...ctr.runtimeFlags,
      "--rootfs",
      `${ctr.host.directory}/rootfs`,
      NAME,
      "/bin/busybox",
      "echo",
      "from the directory",
    ]);

    expect(stdout).toBe("from the directory\n");
  },

  "run --cgroup: the control group that is named": async (ctr) => {
    await ctr.background(["--cgroup", "/named/here"], SLEEPS);

    expect(ctr.host.state().some((line) => /^cgroup: .*\/named\/here$/.test(line))).toBe(true);
    await ctr.run(["tasks", "rm", "--force", NAME]);
    // The parent, which some runtimes leave behind.
    await ctr.host.run(["sh", "-c", "rmdir /sys/fs/cgroup/named /sys/fs/cgroup/*/named"]);
  },

  "run --privileged: the host's devices": async (ctr) => {
    expect(await ctr.show(["--privileged"], ["ls", "/dev"])).toMatch(/^loop-control$/m);
  },
};

/** containerd's rows and what they need. */
export const containerdTests: Omit<CallerTests<Containerd>, "start"> = {
  name: "containerd",
  needs: ["program containerd", "program ctr", "program tmux"],
  rows: { ...lifeRows, ...execRows, ...isolationRows },
};
