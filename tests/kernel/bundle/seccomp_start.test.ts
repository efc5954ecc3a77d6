/** What `run` and `start` say when the filter of a bundle keeps its command from starting. */
import { describe, expect } from "bun:test";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS = ["root", "the executable", "program busybox"] as const;
/** A process that is killed closes its files before it has ended; whoever waits for that is to run in between. */
const AT_ONCE = [...NEEDS, "real-time scheduling"] as const;
const wrapper = ["chrt", "--reset-on-fork", "--fifo", "1"];
/** A created container keeps the outputs, whose end the test would wait for. */
const quietly = ["sh", "-c", '"$@" > /dev/null 2>&1', "sh"];
/** Each shows the race with a chance of two thirds. */
const ROUNDS = 10;

const KILL = { action: "SCMP_ACT_KILL_PROCESS" };
const KILLED = "the seccomp filter answers execve(2) with SCMP_ACT_KILL_PROCESS";

describe("run", () => {
  kernelTest("names the call that the filter refuses", NEEDS, async (sandbox) => {
    const result = await runUnder(sandbox, { action: "SCMP_ACT_ERRNO", errnoRet: 13 });

    expect(result.stderr).toContain("the seccomp filter answers execve(2) with SCMP_ACT_ERRNO EACCES");
    expect(result.exitCode).toBe(1);
  });

  kernelTest("names the call that the filter kills for", NEEDS, async (sandbox) => {
    const result = await runUnder(sandbox, KILL);

    expect(result.stderr).toContain(KILLED);
    expect(result.exitCode).toBe(1);
  });

  kernelTest("names it when the process has yet to end", AT_ONCE, async (sandbox) => {
    const bundle = bundleUnder(sandbox, KILL);

    for (let round = 0; round < ROUNDS; round++) {
      const result = await oci(sandbox, ["run", "--bundle", bundle, `killed-${process.pid}`]);

      expect(result.stderr).toContain(KILLED);
      expect(result.exitCode).toBe(1);
    }
  });
});

describe("start", () => {
  kernelTest("names the call that the filter kills for", AT_ONCE, async (sandbox) => {
    const bundle = bundleUnder(sandbox, KILL);
    const id = `started-${process.pid}`;

    for (let round = 0; round < ROUNDS; round++) {
      await sandbox.bunker(["oci", ...rootOf(sandbox), "create", "--bundle", bundle, id], {
        wrapper: quietly,
      });
      const result = await oci(sandbox, ["start", id]);
      await oci(sandbox, ["delete", "--force", id]);

      expect(result.stderr).toContain(KILLED);
      expect(result.exitCode).toBe(1);
    }
  });
});

/** Runs a command under a filter with one rule, for execve(2). */
function runUnder(sandbox: Sandbox, rule: object) {
  const bundle = bundleUnder(sandbox, rule);
  return sandbox.bunker(["oci", ...rootOf(sandbox), "run", "--bundle", bundle, `seccomp-${process.pid}`]);
}

/** The same by a runtime that runs before all others. */
const oci = (sandbox: Sandbox, args: readonly string[]) =>
  sandbox.bunker(["oci", ...rootOf(sandbox), ...args], { wrapper });

const rootOf = ({ directory }: Sandbox) => ["--root", `${directory}/containers`];

/** A bundle whose filter has one rule, for execve(2). */
function bundleUnder(sandbox: Sandbox, rule: object): string {
  const bundle = `${sandbox.directory}/bundle`;
  mkdirSync(`${bundle}/rootfs/bin`, { recursive: true });
  for (const name of ["proc", "dev"]) mkdirSync(`${bundle}/rootfs/${name}`);
  cpSync(Bun.which("busybox") ?? "/bin/busybox", `${bundle}/rootfs/bin/busybox`);
  const config = {
    ociVersion: "1.2.0",
    root: { path: "rootfs" },
    process: { cwd: "/", args: ["/bin/busybox", "true"], user: { uid: 0, gid: 0 } },
    linux: {
      namespaces: ["pid", "mount"].map((type) => ({ type })),
      seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["execve"], ...rule }] },
    },
  };
  writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
  return bundle;
}
