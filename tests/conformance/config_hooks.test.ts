/** config.md, POSIX-platform hooks: when, where and with what they run. Each hook writes a line into a file of the bundle. */
import { describe, expect } from "bun:test";
import { existsSync, readlinkSync } from "node:fs";
import { type State, writeScript } from "../helpers/oci_runtime.ts";
import { conformanceTest } from "./harness.ts";
import { eventuallyWritten, hooked, IN_RUNTIME, live, OF_HOST, sleeper, written } from "./hooked_bundle.ts";

describe("config.md#posix-platform-hooks", () => {
  conformanceTest("hooks of each kind run in the operation that they belong to", [], async (runtime) => {
    const note = 'echo "$KIND" >> "$OUT"';
    const bundle = await hooked(runtime, Object.fromEntries(OF_HOST.map((kind) => [kind, note])));

    const [created, started, ended, deleted] = await live(runtime, bundle);

    expect(created).toBe("prestart\ncreateRuntime\ncreateContainer\n");
    expect(started).toBe(`${created}poststart\n`);
    expect(ended).toBe(started as string);
    expect(deleted).toBe(`${started}poststop\n`);
  });

  conformanceTest("hooks of one kind run in the listed order", [], async (runtime) => {
    const scripts = [1, 2, 3].map((n) => `sleep 0.0${4 - n}; echo "$KIND ${n}" >> "$OUT"`);
    const bundle = await hooked(runtime, Object.fromEntries(OF_HOST.map((kind) => [kind, scripts])));

    const [, , , all] = await live(runtime, bundle);

    expect(all).toBe(OF_HOST.flatMap((kind) => [1, 2, 3].map((n) => `${kind} ${n}\n`)).join(""));
  });

  conformanceTest("hooks get the state on stdin", [], async (runtime) => {
    const scripts = OF_HOST.map((kind) => [kind, '{ cat | tr -d "\\n"; echo; } >> "$OUT"'] as const);
    const bundle = await hooked(runtime, Object.fromEntries(scripts), {
      ...sleeper,
      annotations: { key: "value" },
    });

    const [, , , all] = await live(runtime, bundle);

    const states = (all ?? "")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as State);
    expect(states.length).toBe(OF_HOST.length);
    for (const state of states) {
      expect(state).toMatchObject({ id: bundle.id, bundle: bundle.directory, annotations: { key: "value" } });
      expect(state.ociVersion).toMatch(/^1\./);
    }
  });

  conformanceTest("the state that hooks get tells where the container is", [], async (runtime) => {
    const scripts = OF_HOST.map((kind) => [kind, '{ cat | tr -d "\\n"; echo; } >> "$OUT"'] as const);
    const bundle = await hooked(runtime, Object.fromEntries(scripts));
    const container = await runtime.create(bundle);
    const { pid } = await container.state();
    await container.start();
    await container.remove();

    const states = written(runtime)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as State);

    expect(states.map(({ status }) => status)).toEqual([
      "creating",
      "creating",
      "creating",
      "running",
      "stopped",
    ]);
    expect(states.slice(0, 2).map((state) => state.pid)).toEqual([pid, pid]);
    expect(states[3]?.pid).toBe(pid);
  });

  conformanceTest("hooks get their arguments and their environment", [], async (runtime) => {
    const path = writeScript(
      `${runtime.directory}/hook`,
      `{ tr '\\0' '|' < /proc/$$/cmdline; tr '\\0' '|' < /proc/$$/environ; } > ${runtime.directory}/out`,
    );
    const hooks = { createRuntime: [{ path, args: ["zero", "one", "two words"], env: ["A=1", "B=2 3"] }] };

    await runtime.create({ ...sleeper, hooks });

    expect(written(runtime)).toBe(`/bin/sh|${path}|one|two words|A=1|B=2 3|`);
  });

  conformanceTest("hooks without arguments are run with their path alone", [], async (runtime) => {
    const path = writeScript(
      `${runtime.directory}/hook`,
      `tr '\\0' '|' < /proc/$$/cmdline > ${runtime.directory}/out`,
    );

    await runtime.create({ ...sleeper, hooks: { createRuntime: [{ path }] } });

    expect(written(runtime)).toBe(`/bin/sh|${path}|`);
  });

  conformanceTest("hooks that do not read their state are no error", [], async (runtime) => {
    // More than a pipe holds.
    const annotations = { large: "x".repeat(200_000) };
    const hooks = { createRuntime: [{ path: "/bin/true" }], poststop: [{ path: "/bin/true" }] };

    const container = await runtime.start({ ...sleeper, annotations, hooks });

    await container.remove();
  });

  conformanceTest("hooks with a relative path are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, hooks: { createRuntime: [{ path: "bin/true" }] } });
  });

  conformanceTest("hooks without a path are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, hooks: { createRuntime: [{ args: ["true"] }] } });
  });

  conformanceTest("hooks with a timeout that is not above zero are refused", [], async (runtime) => {
    for (const timeout of [0, -1]) {
      await runtime.refusal({ ...sleeper, hooks: { createRuntime: [{ path: "/bin/true", timeout }] } });
    }
  });

  conformanceTest(
    "hooks that run longer than their timeout are ended and have failed",
    [],
    async (runtime) => {
      const path = writeScript(
        `${runtime.directory}/hook`,
        `echo $$ > ${runtime.directory}/out; exec sleep 60`,
      );

      await runtime.refusal({ ...sleeper, hooks: { createRuntime: [{ path, timeout: 1 }] } });

      expect(existsSync(`/proc/${written(runtime).trim()}/root`)).toBe(false);
    },
  );

  conformanceTest("hooks that are not there are an error", [], async (runtime) => {
    for (const kind of ["prestart", "createRuntime", "createContainer"]) {
      await runtime.refusal({ ...sleeper, hooks: { [kind]: [{ path: "/no/such/hook" }] } });
    }
  });
});

const show = "readlink /proc/self/ns/uts /proc/self/ns/ipc /proc/self/ns/net";
const own = ["uts", "ipc", "net"].map((type) => `${readlinkSync(`/proc/self/ns/${type}`)}\n`).join("");

describe("config.md#posix-platform-hooks: namespaces", () => {
  conformanceTest("hooks of the runtime run in its namespaces", [], async (runtime) => {
    const bundle = await hooked(
      runtime,
      Object.fromEntries(IN_RUNTIME.map((kind) => [kind, `${show} >> "$OUT"`])),
    );

    const [, , , all] = await live(runtime, bundle);

    expect(all).toBe(own.repeat(IN_RUNTIME.length));
  });

  conformanceTest(
    "prestart and createRuntime hooks find the container's namespaces made",
    [],
    async (runtime) => {
      const script = `pid=$(sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p'); readlink /proc/$pid/ns/uts >> "$OUT"`;
      const bundle = await hooked(runtime, { prestart: script, createRuntime: script });

      const container = await runtime.create(bundle);

      const { pid } = await container.state();
      expect(written(runtime)).toBe(`${readlinkSync(`/proc/${pid}/ns/uts`)}\n`.repeat(2));
      expect(readlinkSync(`/proc/${pid}/ns/uts`)).not.toBe(readlinkSync("/proc/self/ns/uts"));
    },
  );

  conformanceTest(
    "createContainer hooks are the host's program in the container's namespaces",
    [],
    async (runtime) => {
      const script = 'readlink /proc/self/ns/uts /proc/self/ns/ipc >> "$OUT"';
      const bundle = await hooked(runtime, { createContainer: script });

      const container = await runtime.create(bundle);

      const { pid } = await container.state();
      const [uts, ipc] = ["uts", "ipc"].map((type) => readlinkSync(`/proc/${pid}/ns/${type}`));
      expect(written(runtime)).toBe(`${uts}\n${ipc}\n`);
    },
  );

  conformanceTest(
    "createContainer hooks find the mounts made and the root not entered",
    [],
    async (runtime) => {
      const script = `grep -c " ${runtime.directory}/.*/rootfs/proc proc " /proc/self/mounts >> "$OUT"`;
      const bundle = await hooked(runtime, { createContainer: script });

      await runtime.create(bundle);

      expect(Number(written(runtime))).toBeGreaterThan(0);
    },
  );

  conformanceTest(
    "startContainer hooks are the container's program in its namespaces",
    [],
    async (runtime) => {
      const script = 'echo "$(ls -d /bin/busybox) $(readlink /proc/self/ns/uts)" >> "$OUT"';
      const bundle = await hooked(runtime, { startContainer: script });
      const container = await runtime.create(bundle);
      const { pid } = await container.state();
      const before = written(runtime, bundle);

      await container.start();
      const after = await eventuallyWritten(runtime, bundle);

      expect(before).toBe("");
      expect(after).toBe(`/bin/busybox ${readlinkSync(`/proc/${pid}/ns/uts`)}\n`);
    },
  );

  conformanceTest("startContainer hooks end before the program runs", [], async (runtime) => {
    const bundle = await hooked(
      runtime,
      { startContainer: 'sleep 0.1; echo hook >> "$OUT"' },
      { sh: "cat /srv/out; echo program" },
    );

    const container = await runtime.start(bundle);
    await container.ended();

    expect(container.output()).toBe("hook\nprogram\n");
  });

  conformanceTest("startContainer hooks have run when start returns", [], async (runtime) => {
    const bundle = await hooked(runtime, { startContainer: 'sleep 0.1; echo hook >> "$OUT"' });

    await runtime.start(bundle);

    expect(written(runtime, bundle)).toBe("hook\n");
  });

  conformanceTest("startContainer hooks get the state on stdin", [], async (runtime) => {
    const bundle = await hooked(runtime, { startContainer: 'cat > "$OUT.part"; mv "$OUT.part" "$OUT"' });

    const container = await runtime.start(bundle);

    const state = JSON.parse(await eventuallyWritten(runtime, bundle)) as State;
    expect(state).toMatchObject({ id: container.id, bundle: bundle.directory });
  });

  conformanceTest("poststart hooks have run when start returns", [], async (runtime) => {
    const bundle = await hooked(runtime, { poststart: 'sleep 0.1; echo hook >> "$OUT"' });

    await runtime.start(bundle);

    expect(written(runtime)).toBe("hook\n");
  });

  conformanceTest(
    "poststop hooks find the container gone and have run when delete returns",
    [],
    async (runtime) => {
      const bundle = await runtime.bundle(sleeper);
      const script = `sleep 0.1; ${runtime.words("state", bundle.id).join(" ")} > /dev/null 2>&1; echo $? >> "$OUT"`;
      const { config } = await hooked(runtime, { poststop: script });
      await Bun.write(
        `${bundle.directory}/config.json`,
        JSON.stringify({ ...bundle.config, hooks: config["hooks"] }),
      );

      const container = await runtime.start(bundle);
      await container.remove();

      expect(written(runtime)).toMatch(/^[1-9]\d*\n$/);
    },
  );
});
