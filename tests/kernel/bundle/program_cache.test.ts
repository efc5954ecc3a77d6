/** Programs that are kept for the next container of a bundle, or the next exec, make the same one, and hold no secret. */
import { describe, expect } from "bun:test";
import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { Runtime } from "../../helpers/oci_runtime.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox"];
const SECRET = "s3cret-of-this-test";
const LOOK = {
  sh: "id; env; cat /proc/self/mountinfo | cut -d' ' -f4-; grep -E 'Cap|Seccomp|NoNew' /proc/self/status; echo $0 $1",
};

const kept = (sandbox: Sandbox): string[] => readdirSync(`${sandbox.state}/~programs`);

/** Another container of the same bundle: its id is of the same length. */
const next = (id: string, letter: string): string => `${id.slice(0, -1)}${letter}`;

describe("a kept program", () => {
  kernelTest("makes the container that a new one makes", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const bundle = await runtime.bundle(LOOK);

    const first = await runtime.outputOf(bundle);
    const names = kept(sandbox);
    const second = await runtime.outputOf({ ...bundle, id: next(bundle.id, "x") });

    expect(names).toHaveLength(1);
    expect(kept(sandbox)).toEqual(names);
    expect(second.replaceAll(next(bundle.id, "x"), bundle.id)).toBe(first);
  });

  kernelTest("serves only for the same configuration", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    await runtime.output({ sh: "true", hostname: "one" });

    await runtime.output({ sh: "true", hostname: "two" });

    expect(kept(sandbox)).toHaveLength(2);
  });

  kernelTest("holds neither arguments nor environment", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const args = ["/bin/sh", "-c", "echo $0 $TOKEN", SECRET];
    const env = ["PATH=/bin", `TOKEN=${SECRET}`];

    const output = await runtime.output({ process: { args, env, cwd: "/", user: { uid: 0, gid: 0 } } });

    expect(output).toBe(`${SECRET} ${SECRET}\n`);
    for (const name of kept(sandbox)) {
      expect(readFileSync(`${sandbox.state}/~programs/${name}`, "latin1")).not.toContain(SECRET);
    }
  });

  kernelTest("that was cut by a full disk is made anew", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const bundle = await runtime.bundle({ sh: "echo whole" });
    await runtime.outputOf(bundle);
    for (const name of kept(sandbox)) truncateSync(`${sandbox.state}/~programs/${name}`, 3000);

    expect(await runtime.outputOf({ ...bundle, id: next(bundle.id, "y") })).toBe("whole\n");
  });

  kernelTest("still names the step that fails", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const bundle = await runtime.bundle({ sh: "true" });
    await runtime.outputOf(bundle);
    await Bun.$`rm ${bundle.root}/bin/sh`.quiet();

    const { exitCode } = await runtime.run({ ...bundle, id: next(bundle.id, "z") });

    expect(exitCode).toBe(1);
    expect(runtime.messages()).toContain("stat /bin/sh: no such file or directory");
  });
});

describe("a kept program of exec", () => {
  const execs = (sandbox: Sandbox): string[] => readdirSync(`${sandbox.state}/~execs`);
  const LOOK_AGAIN = "id; env; pwd; grep -E 'Cap|Seccomp|NoNew' /proc/self/status; cat /proc/self/cgroup";

  kernelTest("does what a new one does", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const container = await runtime.create({ sh: "sleep 60" });
    await container.start();

    const first = await container.sh(LOOK_AGAIN, "--env", `TOKEN=${SECRET}`);
    const names = execs(sandbox);
    const second = await container.sh(LOOK_AGAIN, "--env", `TOKEN=${SECRET}`);

    expect(names).toHaveLength(1);
    expect(execs(sandbox)).toEqual(names);
    expect(first).toContain(`TOKEN=${SECRET}`);
    expect(second).toBe(first);
    await container.remove();
  });

  kernelTest("serves only for the same process, and holds no secret of it", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const container = await runtime.create({ sh: "sleep 60" });
    await container.start();

    await container.sh(`: ${SECRET}`, "--env", `TOKEN=${SECRET}`);
    const other = await container.sh(`: ${SECRET}; pwd`, "--env", `TOKEN=${SECRET}`, "--cwd", "/proc");

    expect(other).toBe("/proc\n");
    expect(execs(sandbox)).toHaveLength(2);
    for (const name of execs(sandbox)) {
      expect(readFileSync(`${sandbox.state}/~execs/${name}`, "latin1")).not.toContain(SECRET);
    }
    await container.remove();
  });

  kernelTest("still names what fails", NEEDS, async (sandbox) => {
    await using runtime = new Runtime("bunker", sandbox);
    const container = await runtime.create({ sh: "sleep 60" });
    await container.start();
    await container.sh("true");
    await Bun.$`rm ${container.bundle.root}/bin/sh`.quiet();

    await expect(container.sh("true")).rejects.toThrow("no such file or directory");
    await container.remove();
  });
});
