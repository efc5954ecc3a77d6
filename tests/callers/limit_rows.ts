/** Rows of podman and docker: limits, which have to limit the command and not only to be written. */
import { expect } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { type Engine, IMAGE, NAME } from "./engine.ts";
import { until } from "./host.ts";
import { says } from "./life_rows.ts";
import type { Rows } from "./row.ts";

/** Reads a file of a controller, on either version of control groups. */
const cgroupFile = (v1: string, v2: string): readonly string[] => [
  "sh",
  "-c",
  `cat /sys/fs/cgroup/${v1} 2>/dev/null || cat /sys/fs/cgroup/${v2}`,
];

const MEMORY = cgroupFile("memory/memory.limit_in_bytes", "memory.max");
const CPU_STAT = cgroupFile("cpu/cpu.stat", "cpu.stat");
export const PIDS = cgroupFile("pids/pids.max", "pids.max");
const QUOTA = cgroupFile("cpu/cpu.cfs_quota_us", "cpu.max");
const CPUSET = cgroupFile("cpuset/cpuset.cpus", "cpuset.cpus");
const SHARES = cgroupFile("cpu/cpu.shares", "cpu.weight");

const MIB = 1 << 20;

/** Filters of docker's events: that memory ran out. */
export const OOM = ["--filter", "event=oom"];

/** A command that waits until it is told a word. */
export const waits = (word: string): string => `until [ -e /words/${word} ]; do sleep 0.1; done`;

/** What a container is told: files of a directory that it has at "/words". */
export class Words implements Disposable {
  readonly #directory: string;

  constructor({ host }: Engine) {
    this.#directory = host.makeDirectory("words");
  }

  /** Options of `run`. */
  get mount(): readonly string[] {
    return ["-v", `${this.#directory}:/words`];
  }

  tell(word: string): void {
    writeFileSync(`${this.#directory}/${word}`, "");
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

export const limitRows: Rows<Engine> = {
  "run --memory: the command that takes more is killed, and inspect says why": async (engine) => {
    const since = Math.floor(Date.now() / 1000);
    const command = `${waits("go")}; tail /dev/zero; code=$?; ${waits("end")}; exit $code`;

    using words = new Words(engine);
    const options = ["--name", NAME, "--memory=16m", ...words.mount];
    const running = engine.run(["run", ...options, IMAGE, "sh", "-c", command]);
    // containerd tells it when the container has been started, and has not yet ended.
    const show = ["inspect", "--format", "{{.State.Status}}", NAME];
    await until("it runs", async () => (await engine.run(show)).stdout === "running\n");
    words.tell("go");
    if (engine.kind === "docker") await engine.events(since, OOM, (text) => text.includes("container oom"));
    words.tell("end");

    expect((await running).exitCode).toBe(137);
    // conmon 2.1 looks for the count of such kills where version 1 does not have it.
    if (engine.kind === "docker") expect(await engine.inspect("{{.State.OOMKilled}}")).toBe("true");
  },

  "run --memory: the limit stands in the control group": async (engine) => {
    expect(await engine.once(["--memory=32m"], MEMORY)).toBe(String(32 * MIB));
  },

  "run --pids-limit: no process more": async (engine) => {
    const script = "for i in 1 2 3 4 5 6 7 8; do sleep 30 & done; wait";

    const { stderr } = await engine.run(["run", "--rm", "--pids-limit=5", IMAGE, "sh", "-c", script]);

    expect(stderr).toMatch(/can't fork|Resource temporarily unavailable/);
    expect(await engine.once(["--pids-limit=5"], PIDS)).toBe("5");
  },

  "run --cpus: a busy command is held back": async (engine) => {
    const script = `until (${CPU_STAT[2]}) | grep '^nr_throttled [1-9]'; do :; done`;

    const stat = await engine.once(["--cpus=0.1"], ["sh", "-c", script]);

    expect(Number(/^nr_throttled (\d+)$/m.exec(stat)?.[1])).toBeGreaterThan(0);
  },

  "run --cpuset-cpus, --cpu-shares: are in force": async (engine) => {
    const options = ["--cpuset-cpus=0", "--cpu-shares=512"];

    const shown = await engine.once(options, ["sh", "-c", `${CPUSET[2]}; nproc; ${SHARES[2]}`]);

    expect(shown).toMatch(/^0\n1\n(512|20)$/);
  },

  "update: other limits for a running container": async (engine) => {
    await engine.background(["--memory=64m", "--cpus=0.5"], ["sleep", "1000"]);
    const options = [
      "--memory=48m",
      ...(engine.kind === "docker" ? ["--memory-swap=96m"] : []),
      "--cpus=0.25",
    ];

    await engine.succeed(["update", ...options, NAME]);

    expect(await engine.exec(MEMORY)).toBe(String(48 * MIB));
    expect(await engine.exec(QUOTA)).toMatch(/^25000( 100000)?$/);
  },

  "run --ulimit: soft and hard limit": async (engine) => {
    const options = ["--ulimit=nofile=100:200", "--ulimit=core=0:0", "--ulimit=nproc=1024:1024"];

    expect(await engine.once(options, ["sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"])).toBe("100\n200\n0");
  },

  "run --oom-score-adj: is set": async (engine) => {
    expect(await engine.once(["--oom-score-adj=345"], ["cat", "/proc/self/oom_score_adj"])).toBe("345");
  },

  "run --shm-size: the size of /dev/shm": async (engine) => {
    const shown = await engine.once(["--shm-size=3m"], ["df", "-k", "/dev/shm"]);

    expect(shown).toMatch(/^shm +3072 /m);
  },

  "run --health-cmd: healthy, and unhealthy when the command fails": async (engine) => {
    const options = ["--health-cmd=test ! -e /tmp/ill", "--health-interval=1s", "--health-retries=1"];
    await engine.background(options, ["sh", "-c", "echo up; sleep 1000"]);
    await says(engine, "up");

    await until("healthy", () => hasHealth(engine, "healthy"));
    await engine.exec(["touch", "/tmp/ill"]);

    await until("unhealthy", () => hasHealth(engine, "unhealthy"));
  },
};

/** podman runs its checks by timers of systemd, or when it is told to. */
async function hasHealth(engine: Engine, wanted: string): Promise<boolean> {
  if (engine.kind === "podman") await engine.run(["healthcheck", "run", NAME]);
  return (await engine.inspect("{{.State.Health.Status}}")) === wanted;
}
