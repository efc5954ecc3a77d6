/** runtime.md, State: what a runtime tells of a container. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { Container } from "../helpers/oci_runtime.ts";
import { conformanceTest } from "./harness.ts";

const sleeper = { process: { args: ["/bin/sleep", "60"] } };

describe("runtime.md#state", () => {
  conformanceTest("state has version, id, status, pid and bundle", [], async (runtime) => {
    const container = await runtime.create(sleeper);

    const state = await container.state();

    expect(state).toMatchObject({
      id: container.id,
      status: "created",
      bundle: container.bundle.directory,
    });
    expect(state.ociVersion).toMatch(/^1\.\d+\.\d+/);
    expect(state.pid).toBeGreaterThan(0);
  });

  conformanceTest("state has the process id of the host", [], async (runtime) => {
    const container = await runtime.start(sleeper);

    const { pid } = await container.state();

    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("/bin/sleep\x0060\0");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(new RegExp(`^NSpid:\\t${pid}\\t1$`, "m"));
  });

  conformanceTest("state has an absolute bundle when a relative one was given", [], async (runtime) => {
    const bundle = await runtime.bundle(sleeper);
    const relative = basename(bundle.directory);
    expect(dirname(bundle.directory)).toBe(runtime.directory);

    const words = ["--bundle", relative, "--pid-file", `${bundle.directory}/pid`];
    const { exitCode } = await runtime.detached(bundle, "create", ...words, bundle.id);
    const container = new Container(runtime, bundle);
    const state = await container.state();
    await container.remove();

    expect({ exitCode, bundle: state.bundle }).toEqual({ exitCode: 0, bundle: bundle.directory });
  });

  conformanceTest("state has the annotations of the configuration", [], async (runtime) => {
    const annotations = { "com.example.key": "value", "com.example.empty": "" };
    const container = await runtime.create({ ...sleeper, annotations });

    expect((await container.state()).annotations).toMatchObject(annotations);
  });

  conformanceTest("state has no annotation when none was given", [], async (runtime) => {
    const container = await runtime.create(sleeper);

    expect((await container.state()).annotations ?? {}).toEqual({});
  });

  conformanceTest("status is created, running and stopped in turn", [], async (runtime) => {
    const container = await runtime.create(sleeper);
    const created = await container.status();
    await container.start();
    const running = await container.status();
    await container.kill("KILL");
    await container.ended();

    expect([created, running, await container.status()]).toEqual(["created", "running", "stopped"]);
  });

  conformanceTest("status is stopped when the process has ended by itself", [], async (runtime) => {
    const container = await runtime.start({ sh: "exit 3" });

    await container.ended();

    expect(await container.status()).toBe("stopped");
  });

  conformanceTest("state of a container that is not there is an error", [], async (runtime) => {
    expect((await runtime.command("state", "bunker-missing")).exitCode).not.toBe(0);
  });

  conformanceTest("state without an id is an error", [], async (runtime) => {
    expect((await runtime.command("state")).exitCode).not.toBe(0);
  });
});
