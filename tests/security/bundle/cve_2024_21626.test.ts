/** CVE-2024-21626: a descriptor of the host leaked into the container, and the working directory went through it. */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { attackTest } from "../../helpers/attack.ts";
import { runPiped } from "../../helpers/pipes.ts";

/** Numbers that runtimes and their callers have open. */
const NUMBERS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 32, 64, 200, 201, 202, 203, 204, 250];
/** Descriptors that a careless caller leaves open, low and high. */
const LEAKED = [3, 7, 9, 200, 201, 250];

const leaks = LEAKED.map((fd) => `${fd}</`).join(" ");
const leaking = (
  words: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly stdout: string }> =>
  runPiped(["bash", "-c", `exec ${leaks}; exec "$@"`, "bash", ...words]);

describe("a working directory that names a descriptor", () => {
  attackTest("is refused by create", async ({ runtime }) => {
    for (const fd of NUMBERS) {
      const message = await runtime.refusal({ sh: "pwd -P; ls -A", process: { cwd: `/proc/self/fd/${fd}` } });

      expect(message).toMatch(/chdir to cwd/);
    }
  });

  attackTest("is refused by create through a link of the root", async ({ runtime }) => {
    for (const fd of [7, 200, 201, 202]) {
      const bundle = await runtime.bundle({ sh: "pwd -P", process: { cwd: "/inner/dir" } });
      mkdirSync(`${bundle.root}/inner`);
      symlinkSync(`/proc/self/fd/${fd}`, `${bundle.root}/inner/dir`);

      expect(await runtime.refusal(bundle)).toMatch(/chdir to cwd/);
    }
  });

  attackTest("is refused by exec", async ({ runtime }) => {
    const container = await runtime.start({ sh: "exec sleep 60" });

    for (const fd of NUMBERS) {
      const flags = ["--cwd", `/proc/self/fd/${fd}`];
      const { exitCode, stdout } = await runtime.command("exec", ...flags, container.id, "/bin/pwd", "-P");

      expect({ fd, ok: exitCode !== 0, stdout }).toEqual({ fd, ok: true, stdout: "" });
    }
  });
});

describe("descriptors of the caller", () => {
  attackTest("reach neither a container nor an exec", async ({ runtime }) => {
    const bundle = await runtime.bundle({ sh: "ls /proc/self/fd | xargs" });
    const container = await runtime.start({ sh: "exec sleep 60" });

    const run = await leaking(runtime.words("run", "--bundle", bundle.directory, bundle.id));
    const exec = await leaking(runtime.words("exec", container.id, "/bin/ls", "/proc/self/fd"));

    // ls(1) has the directory open.
    expect(run.stdout).toBe("0 1 2 3\n");
    expect(exec.stdout).toBe("0\n1\n2\n3\n");
  });

  attackTest("are no way out for the working directory", async ({ runtime }) => {
    for (const fd of LEAKED) {
      const bundle = await runtime.bundle({ sh: "ls -A", process: { cwd: `/proc/self/fd/${fd}` } });

      const { exitCode, stdout } = await leaking(
        runtime.words("run", "--bundle", bundle.directory, bundle.id),
      );

      expect({ fd, ok: exitCode !== 0, stdout }).toEqual({ fd, ok: true, stdout: "" });
    }
  });

  attackTest("that are handed on by --preserve-fds are no way out either", async ({ runtime }) => {
    const bundle = await runtime.bundle({ sh: "pwd -P; ls -A", process: { cwd: "/proc/self/fd/3" } });

    const { exitCode, stdout } = await leaking(
      runtime.words("run", "--preserve-fds", "1", "--bundle", bundle.directory, bundle.id),
    );

    expect({ ok: exitCode !== 0, stdout }).toEqual({ ok: true, stdout: "" });
  });
});

describe("a container in the host's mount namespace", () => {
  attackTest("keeps what exec starts in its root too", async ({ runtime }) => {
    const namespaces = ["pid", "ipc", "uts"].map((type) => ({ type }));
    const container = await runtime.start({ sh: "exec sleep 60", mounts: [], linux: { namespaces } });

    expect(await container.sh("ls / | xargs")).toBe("bin dev etc proc srv sys tmp var\n");
  });
});
