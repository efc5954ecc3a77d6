/** CVE-2024-21626: a descriptor of the host leaked into the container, and the working directory went through it. */
import { describe, expect } from "bun:test";
import { programs } from "../helpers/bunker.ts";
import { runPiped } from "../helpers/pipes.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "../kernel/run/app.ts";

/** Descriptors that a careless caller leaves open, low and high. */
const LEAKED = [3, 4, 7, 9, 99, 200, 201, 202, 250];

describe("a working directory that names a descriptor", () => {
  kernelTest(
    "is refused, whichever it is",
    RUN_NEEDS,
    async (sandbox) => {
      for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 64, 200, 201, 202, 203]) {
        const app = await App.install(sandbox, { config: { WorkingDir: `/proc/self/fd/${fd}` } });

        const { exitCode, stdout } = await app.run([], ["/bin/sh", "-c", "pwd -P; ls -A"]);

        expect({ fd, ok: (exitCode ?? 0) >= 125, stdout }).toEqual({ fd, ok: true, stdout: "" });
      }
    },
    60_000,
  );
});

describe("descriptors of the caller", () => {
  kernelTest("do not reach the container", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout, stderr } = await runWithLeaks(app, [], ["/bin/ls", "/proc/self/fd"]);

    expect({ stdout, stderr }).toEqual({ stdout: "0\n1\n2\n3\n", stderr: "" });
  });

  kernelTest("are no way out for the working directory", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    for (const fd of LEAKED) {
      const { exitCode, stdout } = await runWithLeaks(app, ["-w", `/proc/self/fd/${fd}`], ["/bin/ls", "-A"]);

      expect({ fd, ok: (exitCode ?? 0) >= 125, stdout }).toEqual({ fd, ok: true, stdout: "" });
    }
  });

  async function runWithLeaks(app: App, flags: readonly string[], command: readonly string[]) {
    const leaks = LEAKED.map((fd) => `${fd}</`).join(" ");
    const words = [...programs["bun run src/main.ts"], ...app.words(flags, command)];
    return runPiped(["bash", "-c", `exec ${leaks}; exec "$@"`, "bash", ...words], { env: app.environment });
  }
});
