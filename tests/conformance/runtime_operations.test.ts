/** runtime.md, Operations: what state, create, start, kill and delete do, and what they refuse. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { MOUNTS, makeConfig } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const sleeper = { process: { args: ["/bin/sleep", "60"] } };

describe("runtime.md#create", () => {
  conformanceTest("create without an id is an error", [], async (runtime) => {
    const { directory } = await runtime.bundle(sleeper);

    expect((await runtime.command("create", "--bundle", directory)).exitCode).not.toBe(0);
  });

  conformanceTest("create without a bundle is an error", [], async (runtime) => {
    const { exitCode } = await runtime.command("create", "--bundle", "missing", "bunker-no-bundle");

    expect(exitCode).not.toBe(0);
    expect(await runtime.findState("bunker-no-bundle")).toBeUndefined();
  });

  conformanceTest(
    "create refuses an id that is taken and leaves its container alone",
    [],
    async (runtime) => {
      const container = await runtime.start(sleeper);
      const before = await container.state();

      const { exitCode } = await runtime.tryCreate(container.bundle);

      expect(exitCode).not.toBe(0);
      expect(await container.state()).toEqual(before);
    },
  );

  conformanceTest("create refuses ids that are not names", [], async (runtime) => {
    const bundle = await runtime.bundle(sleeper);

    for (const id of ["", "a/b", "..", "../escaped"]) {
      const { exitCode } = await runtime.detached(bundle, "create", "--bundle", bundle.directory, id);
      expect({ id, refused: exitCode !== 0 }).toEqual({ id, refused: true });
    }
    expect(readdirSync(runtime.directory)).not.toContain("escaped");
  });

  conformanceTest("create does not run the program", [], async (runtime) => {
    const container = await runtime.create({ sh: "echo ran; sleep 60" });

    const created = { output: container.output(), status: await container.status() };
    await container.start();
    await container.printed("ran\n");

    expect(created).toEqual({ output: "", status: "created" });
  });

  conformanceTest("create makes the namespaces and the root before start", [], async (runtime) => {
    const container = await runtime.create({
      ...sleeper,
      mounts: [...MOUNTS, { destination: "/made", type: "tmpfs" }],
    });

    const { pid } = await container.state();

    expect(existsSync(`${container.bundle.root}/made`)).toBe(true);
    expect(readdirSync(`/proc/${pid}/root`)).toContain("made");
    expect(readdirSync(`/proc/${pid}/root`)).not.toContain("home");
  });

  conformanceTest("changes of config.json after create have no effect", [], async (runtime) => {
    const container = await runtime.create({
      sh: "echo $WORD",
      process: { env: ["PATH=/bin", "WORD=before"] },
    });
    const changed = makeConfig(container.id, { sh: "echo changed", hooks: "no hooks" });
    writeFileSync(`${container.bundle.directory}/config.json`, JSON.stringify(changed));

    await container.start();
    await container.ended();
    const { exitCode } = await container.delete();

    expect({ output: container.output(), exitCode }).toEqual({ output: "before\n", exitCode: 0 });
  });

  conformanceTest("create that fails leaves no container and no mount", [], async (runtime) => {
    const mounts = [
      ...MOUNTS,
      { destination: "/made", type: "tmpfs" },
      { destination: "/bad", type: "no-such-type" },
    ];

    const bundle = await runtime.bundle({ ...sleeper, mounts });
    await runtime.refusal(bundle);

    expect((await runtime.command("delete", bundle.id)).exitCode).not.toBe(0);
  });
});

describe("runtime.md#start", () => {
  conformanceTest("start without an id is an error", [], async (runtime) => {
    expect((await runtime.command("start")).exitCode).not.toBe(0);
  });

  conformanceTest("start of a container that is not there is an error", [], async (runtime) => {
    expect((await runtime.command("start", "bunker-missing")).exitCode).not.toBe(0);
  });

  conformanceTest("start of a running container is an error without effect", [], async (runtime) => {
    const container = await runtime.start({ sh: "echo ran; sleep 60" });
    await container.printed("ran\n");
    const before = await container.state();

    const { exitCode } = await container.tryStart();

    expect(exitCode).not.toBe(0);
    expect(await container.state()).toEqual(before);
    expect(container.output()).toBe("ran\n");
  });

  conformanceTest("start of a stopped container is an error without effect", [], async (runtime) => {
    const container = await runtime.start({ sh: "echo ran" });
    await container.ended();

    const { exitCode } = await container.tryStart();

    expect(exitCode).not.toBe(0);
    expect({ output: container.output(), status: await container.status() }).toEqual({
      output: "ran\n",
      status: "stopped",
    });
  });

  conformanceTest("start runs the program with its arguments", [], async (runtime) => {
    const args = ["/bin/sh", "-c", 'for word in "$0" "$@"; do echo "[$word]"; done', "one", "two words", ""];

    expect(await runtime.output({ process: { args } })).toBe("[one]\n[two words]\n[]\n");
  });

  conformanceTest("a container whose configuration has no process is not started", [], async (runtime) => {
    const bundle = await runtime.bundle({ process: null });
    const created = await runtime.tryCreate(bundle);

    const started =
      created.exitCode === 0 && (await runtime.detached(bundle, "start", bundle.id)).exitCode === 0;

    expect(started).toBe(false);
  });
});

describe("runtime.md#kill", () => {
  conformanceTest("kill without an id is an error", [], async (runtime) => {
    expect((await runtime.command("kill")).exitCode).not.toBe(0);
  });

  conformanceTest("kill of a container that is not there is an error", [], async (runtime) => {
    expect((await runtime.command("kill", "bunker-missing", "TERM")).exitCode).not.toBe(0);
  });

  conformanceTest("kill of a stopped container is an error without effect", [], async (runtime) => {
    const container = await runtime.start({ sh: "exit 0" });
    await container.ended();

    const { exitCode } = await container.kill("TERM");

    expect(exitCode).not.toBe(0);
    expect(await container.status()).toBe("stopped");
  });

  conformanceTest("kill sends the signal by name and by number", [], async (runtime) => {
    const sh =
      "trap 'echo USR1' USR1; trap 'echo HUP' HUP; trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done";
    const container = await runtime.start({ sh });
    await container.printed("ready\n");

    await container.kill("USR1");
    await container.printed("USR1\n");
    await container.kill("SIGHUP");
    await container.printed("HUP\n");
    await container.kill("15");

    expect(await container.ended()).toBe(7);
  });

  conformanceTest("kill refuses a signal that does not exist", [], async (runtime) => {
    const container = await runtime.start(sleeper);

    for (const signal of ["NOSUCH", "4096"]) expect((await container.kill(signal)).exitCode).not.toBe(0);
    expect(await container.status()).toBe("running");
  });

  conformanceTest("kill ends a container that was created and never started", [], async (runtime) => {
    const container = await runtime.create(sleeper);

    const { exitCode } = await container.kill("KILL");
    await container.ended();

    expect({ exitCode, status: await container.status() }).toEqual({ exitCode: 0, status: "stopped" });
  });
});

describe("runtime.md#delete", () => {
  conformanceTest("delete without an id is an error", [], async (runtime) => {
    expect((await runtime.command("delete")).exitCode).not.toBe(0);
  });

  conformanceTest("delete of a container that is not there is an error", [], async (runtime) => {
    expect((await runtime.command("delete", "bunker-missing")).exitCode).not.toBe(0);
  });

  conformanceTest("delete of a running container is an error without effect", [], async (runtime) => {
    const container = await runtime.start(sleeper);
    const before = await container.state();

    const { exitCode } = await container.delete();

    expect(exitCode).not.toBe(0);
    expect(await container.state()).toEqual(before);
  });

  conformanceTest("delete of a created container is an error without effect", [], async (runtime) => {
    const container = await runtime.create(sleeper);
    const before = await container.state();

    const { exitCode } = await container.delete();

    expect(exitCode).not.toBe(0);
    expect(await container.state()).toEqual(before);
  });

  conformanceTest("delete removes what create has made", [], async (runtime, sandbox) => {
    const container = await runtime.start(sleeper);

    await container.remove();

    expect(await runtime.findState(container.id)).toBeUndefined();
    expect(await sandbox.leftBehind()).toEqual([]);
  });

  conformanceTest("delete keeps what create has not made", [], async (runtime, sandbox) => {
    const volume = `${sandbox.directory}/volume`;
    await Bun.write(`${volume}/file`, "kept");
    const container = await runtime.start({
      sh: "echo written > /volume/other",
      mounts: [...MOUNTS, { destination: "/volume", source: volume, options: ["bind"] }],
    });
    await container.ended();

    await container.delete();

    expect(readdirSync(volume).sort()).toEqual(["file", "other"]);
    expect(readdirSync(container.bundle.directory)).toContain("config.json");
    expect(readdirSync(`${container.bundle.root}/bin`)).toContain("busybox");
  });

  conformanceTest("an id can be used again after delete", [], async (runtime) => {
    const container = await runtime.start({ sh: "echo ran" });
    await container.ended();
    await container.delete();

    const again = await runtime.start(container.bundle);
    await again.ended();

    expect(again.output()).toBe("ran\nran\n");
  });
});
