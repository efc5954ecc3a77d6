/**
 * What the commands of the OCI runtime say to what cannot be done, and the shapes of what they print, beside the runc that
 * is installed.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { type Bundle, type Container, Runtime, type RuntimeName } from "../helpers/oci_runtime.ts";
import { type Need, titleOf, whyMissing } from "../helpers/requires.ts";
import { Sandbox } from "../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox"];
const SLEEP = { sh: "while :; do sleep 1; done" };

describe("a container that does not exist", () => {
  runtimeTest(
    "is refused by every command in one line of the words that callers look for",
    async (runtime) => {
      for (const words of [
        ["state", "nope"],
        ["start", "nope"],
        ["kill", "nope"],
        ["delete", "nope"],
        ["pause", "nope"],
        ["resume", "nope"],
        ["ps", "nope"],
        ["events", "--stats", "nope"],
        ["update", "--pids-limit", "5", "nope"],
        ["checkpoint", "nope"],
        ["exec", "nope", "true"],
      ]) {
        const { exitCode, stdout, stderr } = await runtime.command(...words);

        const code = words[0] === "exec" ? 255 : 1;
        expect([words, exitCode, stdout, stderr]).toEqual([words, code, "", "container does not exist\n"]);
      }
    },
  );

  runtimeTest("is no error to delete --force", async (runtime) => {
    for (const words of [
      ["delete", "--force", "nope"],
      ["delete", "nope", "--force"],
      ["delete", "-f=true", "nope"],
    ]) {
      expect((await runtime.command(...words)).exitCode).toBe(0);
    }
    expect((await runtime.command("delete", "--force=false", "nope")).exitCode).toBe(1);
  });
});

describe("a container in another state", () => {
  runtimeTest("is refused, and stays as it is", async (runtime) => {
    const container = await runtime.start(SLEEP);

    expect(await complaint(runtime, "start", container.id)).toBe("cannot start an already running container");
    expect(await complaint(runtime, "resume", container.id)).toBe("container not paused");
    expect(await complaint(runtime, "delete", container.id)).toStartWith(
      `cannot delete container ${container.id} that is not stopped: running`,
    );
    expect(await container.status()).toBe("running");
  });

  runtimeTest("cannot be killed once it has ended, which containerd reads as gone", async (runtime) => {
    const container = await ended(runtime);

    expect(await complaint(runtime, "kill", container.id, "KILL")).toBe("container not running");
    expect((await runtime.command("kill", "--all", container.id, "KILL")).exitCode).toBe(0);
    expect(await complaint(runtime, "start", container.id)).toBe("cannot start a container that has stopped");
    expect(await complaint(runtime, "events", "--stats", container.id)).toContain("not running");
  });

  runtimeTest("takes no exec while it is paused, unless asked to", async (runtime) => {
    const container = await runtime.start(SLEEP);
    await runtime.command("pause", container.id);

    expect(await container.status()).toBe("paused");
    expect(await complaint(runtime, "exec", container.id, "true")).toContain("paused container");
    expect(await complaint(runtime, "pause", container.id)).toContain("paused");
    expect((await runtime.command("resume", container.id)).exitCode).toBe(0);
    expect((await runtime.command("exec", container.id, "true")).exitCode).toBe(0);
  });
});

describe("create", () => {
  runtimeTest("refuses an id that exists", async (runtime) => {
    const container = await runtime.create(SLEEP);

    const { exitCode, messages } = await runtime.tryCreate(container.bundle);

    expect(exitCode).toBe(1);
    expect(messages).toContain("container with given ID already exists");
    expect(await container.status()).toBe("created");
  });

  runtimeTest("refuses an id that is no name", async (runtime) => {
    const { directory } = await runtime.bundle();
    for (const id of ["", ".", "..", "a/b", "a b", "../x", "ä", "x".repeat(300)]) {
      const said = await complaint(runtime, "create", "--bundle", directory, id);

      expect([id, said]).toEqual([id, expect.stringMatching(/^invalid container ID format/)]);
    }
  });

  runtimeTest("names the bundle or file that is missing", async (runtime) => {
    expect(await complaint(runtime, "create", "--bundle", "/proc/nonexistent", "x")).toContain(
      "/proc/nonexistent/config.json",
    );
  });

  runtimeTest("names the field of a faulty configuration, and the clause", async (runtime) => {
    const { directory } = await runtime.bundle({ linux: { resources: { memory: { limit: "1g" } } } });

    const said = await complaint(runtime, "create", "--bundle", directory, "x");

    expect(said).toStartWith("linux.resources.memory.limit: ");
    expect(said).toContain("config-linux.md#memory");
    expect(await complaint(runtime, "state", "x")).toBe("container does not exist");
  });

  runtimeTest("says what is no JSON", async (runtime) => {
    const { directory } = await runtime.bundle();
    writeFileSync(`${directory}/config.json`, '{"ociVersion": ');

    expect(await complaint(runtime, "create", "--bundle", directory, "x")).toStartWith("config.json");
  });

  runtimeTest("logs a missing command as the one JSON value that podman reads", async (runtime) => {
    const bundle = await runtime.bundle({ process: { args: ["nope"] } });
    const log = `${runtime.directory}/json`;
    const json = ["--log", log, "--log-format", "json"];
    await runtime.command(...json, "create", "--bundle", bundle.directory, bundle.id);

    const { level, msg } = JSON.parse(readFileSync(log, "utf8")) as Record<string, string>;

    expect(level).toBe("error");
    expect(msg).toMatch(/executable file not found in|no such file or directory/i);
    expect(msg).not.toMatch(/permission denied|operation not permitted/i);
  });

  runtimeTest("logs a directory as a command in words that podman takes for 126", async (runtime) => {
    await runtime.tryCreate(await runtime.bundle({ process: { args: ["/bin"] } }));

    expect(runtime.messages()).toMatch(/permission denied|operation not permitted/i);
  });
});

describe("run in the foreground", () => {
  runtimeTest("lets other commands work on the container, and removes it at its end", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "until [ -e /srv/end ]; do sleep 0.1; done; exit 4" });
    const running = await runningInForeground(runtime, bundle);

    for (const words of [["pause"], ["resume"], ["update", "--pids-limit", "50"]]) {
      expect(await runtime.command(...words, bundle.id)).toMatchObject({ exitCode: 0, stderr: "" });
    }
    writeFileSync(`${bundle.root}/srv/end`, "");

    expect(await running.exited).toBe(4);
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });

  runtimeTest("ends with the container when another command deletes it", async (runtime) => {
    const bundle = await runtime.bundle(SLEEP);
    const running = await runningInForeground(runtime, bundle);

    expect(await runtime.command("delete", "--force", bundle.id)).toMatchObject({ exitCode: 0 });

    expect(await running.exited).toBe(137);
  });

  runtimeTest("leaves nothing of a command that cannot be executed, detached or not", async (runtime) => {
    const bundle = await runtime.bundle({ process: { args: ["/bin/script"] } });
    writeFileSync(`${bundle.root}/bin/script`, "#!/proc/nonexistent\n", { mode: 0o755 });

    for (const flags of [[], ["--detach"]]) {
      const { exitCode } = await runtime.run(bundle, ...flags);

      expect(exitCode).toBe(1);
      expect(await runtime.findState(bundle.id)).toBeUndefined();
    }
  });
});

describe("--explain", () => {
  runtimeTest("prints the program of a container, and makes none", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "exit 3", mounts: [{ destination: "/x", type: "tmpfs" }] });

    const created = await runtime.command("create", "--explain", "--bundle", bundle.directory, bundle.id);
    const run = await runtime.command("run", "--explain", "--bundle", bundle.directory, bundle.id);

    expect([created.exitCode, created.stderr, run.exitCode, run.stderr]).toEqual([0, "", 0, ""]);
    expect(created.stdout).toContain("# wait for start\n");
    expect(run.stdout).not.toContain("# wait for start\n");
    expect(run.stdout).toMatch(/execve\(.*\["\/bin\/sh", "-c", "exit 3"\]/);
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });
});

describe("exec", () => {
  runtimeTest("refuses users that are no numbers in range, with exit code 1 or 255", async (runtime) => {
    const { id } = await runtime.start(SLEEP);
    for (const user of ["name", "1:", "+1", " 1", "-1", "4294967295", "4294967296", "99999999999999999999"]) {
      const { exitCode, stderr } = await runtime.command("exec", "--user", user, id, "id");

      expect([user, exitCode, stderr.split("\n").length]).toEqual([user, 1, 2]);
    }
  });

  runtimeTest("takes users, groups, variables and a directory, before and without --", async (runtime) => {
    const { id } = await runtime.start(SLEEP);

    const words = ["-u", "1:2", "-g", "7", "-e", "A=b c", "--cwd", "/tmp", id, "--", "sh", "-c"];
    const { stdout } = await runtime.command("exec", ...words, "id -u; id -g; id -G; echo $A; pwd");

    expect(stdout).toBe("1\n2\n2 7\nb c\n/tmp\n");
  });

  runtimeTest("ends with the status of the command, and 128 and a signal's number", async (runtime) => {
    const { id } = await runtime.start(SLEEP);

    expect((await runtime.command("exec", id, "sh", "-c", "exit 7")).exitCode).toBe(7);
    expect((await runtime.command("exec", id, "sh", "-c", "kill -9 $$")).exitCode).toBe(137);
    expect((await runtime.command("exec", id, "nope")).exitCode).toBe(255);
  });
});

describe("what is printed", () => {
  runtimeTest(
    "is a state of runc's members in runc's order",
    async (runtime, sandbox) => {
      const ours = await printed(runtime, "state");
      const theirs = await printed(peer(sandbox), "state");

      const expected = Object.entries(JSON.parse(theirs)).map(([key, value]) => [key, typeof value]);
      expect(Object.entries(JSON.parse(ours)).map(([key, value]) => [key, typeof value])).toEqual(expected);
      expect(ours).toMatch(/^\{\n {2}"ociVersion": "[\d.]+",\n {2}"id": /);
    },
    ["program runc"],
  );

  runtimeTest(
    "is a list as JSON, as ids, and as a table with runc's header",
    async (runtime, sandbox) => {
      expect((await runtime.command("list", "--format", "json")).stdout).toBe("[]\n");
      const container = await runtime.start(SLEEP);

      const json = JSON.parse((await runtime.command("list", "-f", "json")).stdout) as { owner: string }[];
      const table = (await runtime.command("list")).stdout.split("\n");
      const theirs = (await peer(sandbox).command("list")).stdout;

      expect(json).toEqual([expect.objectContaining({ id: container.id, status: "running", owner: "root" })]);
      expect((await runtime.command("list", "-q")).stdout).toBe(`${container.id}\n`);
      expect(table[0]?.split(/\s+/)).toEqual(theirs.trimEnd().split(/\s+/));
      expect(table.length).toBe(3);
    },
    ["program runc"],
  );

  runtimeTest(
    "is the ids of processes as a JSON array, or what ps says of them",
    async (runtime) => {
      const container = await runtime.start(SLEEP);
      const { pid } = await container.state();

      const ids = JSON.parse((await runtime.command("ps", "--format", "json", container.id)).stdout);
      const table = (await runtime.command("ps", container.id, "-o", "pid,comm")).stdout;

      expect(ids).toContain(pid);
      expect(table).toMatch(new RegExp(`^ *PID COMMAND\\n(.*\\n)* *${pid} sh\\n`));
    },
    ["program ps"],
  );

  runtimeTest(
    "is statistics with the members that runc has",
    async (runtime, sandbox) => {
      const ours = JSON.parse(await printed(runtime, "events", "--stats"));
      const theirs = JSON.parse(await printed(peer(sandbox), "events", "--stats"));

      expect([ours.type, Object.keys(ours)]).toEqual(["stats", Object.keys(theirs)]);
      expect(Object.keys(theirs.data).filter((key) => !(key in ours.data))).toEqual([]);
      expect(Object.keys(theirs.data.cpu.usage).filter((key) => !(key in ours.data.cpu.usage))).toEqual([]);
    },
    ["program runc"],
  );

  runtimeTest("is events until the container ends", async (runtime) => {
    const { id, bundle } = await runtime.start({ sh: "until [ -e /srv/end ]; do sleep 0.1; done" });

    const child = Bun.spawn(runtime.words("events", "--interval", "100ms", id), {
      stdin: "ignore",
      stdout: "pipe",
    });
    let stdout = "";
    for await (const part of child.stdout) {
      stdout += new TextDecoder().decode(part);
      if (stdout.split("\n").length > 2) writeFileSync(`${bundle.root}/srv/end`, "");
    }
    const exitCode = await child.exited;

    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; id: string });
    expect(exitCode).toBe(0);
    expect(events.length).toBeGreaterThan(1);
    expect(new Set(events.map((event) => `${event.type} ${event.id}`))).toEqual(new Set([`stats ${id}`]));
  });
});

describe("update", () => {
  runtimeTest("sets limits by options, and by a file or standard input instead", async (runtime) => {
    const { id } = await runtime.start(SLEEP);
    const pids = async (): Promise<unknown> =>
      JSON.parse((await runtime.command("events", "--stats", id)).stdout).data.pids.limit;

    await runtime.command("update", "--pids-limit", "50", id);
    const first = await pids();
    writeFileSync(`${runtime.directory}/limits.json`, '{"pids": {"limit": 60}}');
    await runtime.command(
      "update",
      "--resources",
      `${runtime.directory}/limits.json`,
      "--pids-limit",
      "7",
      id,
    );

    expect([first, await pids()]).toEqual([50, 60]);
  });

  runtimeTest("refuses what is no limit", async (runtime) => {
    const { id } = await runtime.start(SLEEP);

    expect(await complaint(runtime, "update", id)).toContain("update needs a limit");
    expect(await complaint(runtime, "update", "--memory", "much", id)).toStartWith('invalid value "much"');
    expect(await complaint(runtime, "update", "--cpu-period", "5", id)).toStartWith("cpu.period: ");
    expect(await complaint(runtime, "update", "--l3-cache-schema", "x", id)).toContain("linux.intelRdt");
  });
});

type Body = (runtime: Runtime, sandbox: Sandbox) => Promise<void>;

const started: Runtime[] = [];

/** A test with bunker, whose containers and those of peers are gone afterwards. */
function runtimeTest(title: string, body: Body, needs: readonly Need[] = []): void {
  const reason = whyMissing([...NEEDS, ...needs]);
  test.skipIf(reason !== undefined)(titleOf(title, reason), () => runIn(body), 30_000);
}

async function runIn(body: Body): Promise<void> {
  await using sandbox = new Sandbox();
  try {
    await body(open("bunker", sandbox), sandbox);
  } finally {
    for (const runtime of started.splice(0)) await runtime[Symbol.asyncDispose]();
  }
}

function open(name: RuntimeName, sandbox: Sandbox): Runtime {
  const runtime = new Runtime(name, sandbox);
  started.push(runtime);
  return runtime;
}

const peer = (sandbox: Sandbox): Runtime => open("runc", sandbox);

/** What a command says that fails, without the line's end. */
async function complaint(runtime: Runtime, ...words: readonly string[]): Promise<string> {
  const { exitCode, stderr, stdout } = await runtime.command(...words);
  expect([words, exitCode === 0, stdout]).toEqual([words, false, ""]);
  expect(stderr.trimEnd().split("\n").length).toBe(1);
  return stderr.trimEnd();
}

/** Not through pipes, whose readers would keep those of other commands waiting. */
async function runningInForeground(runtime: Runtime, { id, directory }: Bundle): Promise<Bun.Subprocess> {
  const child = Bun.spawn(runtime.words("run", "--bundle", directory, id), {
    stdio: ["ignore", "ignore", "ignore"],
    timeout: 60_000,
  });
  while ((await runtime.findState(id))?.status !== "running" && child.exitCode === null) await Bun.sleep(20);
  return child;
}

async function ended(runtime: Runtime): Promise<Container> {
  const container = await runtime.start({ sh: "true" });
  await container.ended();
  return container;
}

/** What a command prints about a container that runs. */
async function printed(runtime: Runtime, ...words: readonly string[]): Promise<string> {
  const { id } = await runtime.start(SLEEP);
  return (await runtime.command(...words, id)).stdout;
}
