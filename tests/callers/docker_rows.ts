/** Rows of docker alone. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { RUNTIME_NAME, restartDockerd } from "./docker.ts";
import { type Engine, IMAGE, NAME } from "./engine.ts";
import { execRows } from "./exec_rows.ts";
import { until } from "./host.ts";
import { isolationRows } from "./isolation_rows.ts";
import { lifeRows } from "./life_rows.ts";
import { limitRows, OOM, PIDS, Words, waits } from "./limit_rows.ts";
import type { CallerTests, Rows } from "./row.ts";

const ownRows: Rows<Engine> = {
  "info: the runtime of daemon.json, and that it is the default": async (engine) => {
    const shown = await engine.succeed(["info", "--format", "{{.DefaultRuntime}} {{json .Runtimes}}"]);

    expect(shown).toStartWith(`${RUNTIME_NAME} `);
    expect(shown).toContain(`"second":`);
  },

  "run --runtime=NAME: another runtime of daemon.json": async (engine) => {
    await engine.background(["--runtime=second"], ["sleep", "1000"]);

    expect(await engine.inspect("{{.HostConfig.Runtime}}")).toBe("second");
    expect(await engine.exec(["echo", "there"])).toBe("there");
  },

  "update --pids-limit: is in force at once": async (engine) => {
    await engine.background(["--pids-limit=50"], ["sleep", "1000"]);

    await engine.succeed(["update", "--pids-limit=4", NAME]);

    expect(await engine.exec(PIDS)).toBe("4");
  },

  "events: oom, when the command takes more memory than it may": async (engine) => {
    const since = Math.floor(Date.now() / 1000);
    // containerd tells it when the container has been started, and has not yet ended.
    using words = new Words(engine);
    const command = ["sh", "-c", `${waits("go")}; tail /dev/zero; sleep 1000`];
    await engine.background(["--memory=16m", ...words.mount], command);
    words.tell("go");

    const filters = [...OOM, "--filter", `container=${await engine.inspect("{{.Id}}")}`];
    expect(await engine.events(since, filters, (text) => text !== "")).toContain("container oom");
  },

  "build: RUN by the default runtime": async (engine) => {
    const context = engine.host.makeDirectory("context");
    await Bun.write(`${context}/Dockerfile`, `FROM ${IMAGE}\nRUN echo built > /made\nCMD cat /made\n`);
    try {
      await engine.succeed(["build", "-q", "-t", "built", context]);

      expect(await engine.succeed(["run", "--rm", "built"])).toBe("built");
    } finally {
      await engine.run(["rmi", "-f", "built"]);
    }
  },

  "run --restart=always: a container that is killed starts again": async (engine) => {
    await engine.background(["--restart=always"], ["sleep", "1000"]);
    const pid = await engine.inspect("{{.State.Pid}}");

    await engine.exec(["sh", "-c", "echo kept > /tmp/kept"]);
    await engine.host.succeed(["kill", "-9", pid]);

    await until("another process", async () => !["0", pid].includes(await engine.inspect("{{.State.Pid}}")));
    expect(await engine.exec(["cat", "/tmp/kept"])).toBe("kept");
  },

  "live-restore: containers go on while dockerd is away, and are found again": async (engine) => {
    await engine.background(
      [],
      ["sh", "-c", "echo before; while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 11"],
    );
    const pid = await engine.inspect("{{.State.Pid}}");

    await restartDockerd(engine);

    expect(await engine.inspect("{{.State.Status}} {{.State.Pid}}")).toBe(`running ${pid}`);
    await engine.exec(["touch", "/tmp/go"]);
    expect(await engine.succeed(["wait", NAME])).toBe("11");
    expect(await engine.succeed(["logs", NAME])).toBe("before");
  },

  "network create, run --network: containers of one network reach each other by name": async (engine) => {
    await engine.succeed(["network", "create", "together"]);
    try {
      await engine.background(["--network=together"], ["httpd", "-f", "-p", "80", "-h", "/www"]);
      const get = ["wget", "-q", "-O", "-", `http://${NAME}/`];

      await until(
        "it serves",
        async () =>
          (await engine.run(["run", "--rm", "--network=together", IMAGE, ...get])).stdout === "served\n",
      );
    } finally {
      await engine.reset();
      await engine.succeed(["network", "rm", "together"]);
    }
  },
};

/** What dockerd asks for with `--privileged`, whether the machine's root has it or not. */
const ALL_CAPABILITIES = hasAllCapabilities()
  ? {}
  : { crun: "fails where root lacks a capability", runc: "fails where root lacks a capability" };

/** docker looks for the words of Go's errors, and so of runc's. */
const CAPITALS = { crun: "begins the error number's text with a capital" };

const lacking = {
  "run: exit code 127 for a missing command, with its name": CAPITALS,
  "run: exit code 126 for a file that cannot be executed": CAPITALS,
  "exec --privileged: has all capabilities": ALL_CAPABILITIES,
  "run --privileged: all capabilities, no filter, the host's devices": ALL_CAPABILITIES,
  "update --pids-limit: is in force at once": { crun: "writes the limits of memory that are not asked for" },
};

function hasAllCapabilities(): boolean {
  const bounding = /^CapBnd:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
  return BigInt(`0x${bounding}`) === 2n ** BigInt(last + 1) - 1n;
}

/** docker's rows and what they need. */
export const dockerTests: Omit<CallerTests<Engine>, "start"> = {
  name: "docker",
  needs: ["docker engine", "program tmux"],
  lacking,
  rows: { ...lifeRows, ...execRows, ...limitRows, ...isolationRows, ...ownRows },
};
