/** What goes over from the caller of the runtime to a container's process, and back: descriptors and pidfds. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { receiveConsole } from "../../helpers/console_socket.ts";
import { runPiped } from "../../helpers/pipes.ts";
import { bundleTest } from "../../helpers/runtime_test.ts";

const LIST = "ls /proc/self/fd | xargs";
const SLEEP = { sh: "exec sleep 60" };

/** Runs a command that has these descriptors. */
const having = (descriptors: string, words: readonly string[]) =>
  runPiped(["bash", "-c", `exec ${descriptors}; exec "$@"`, "bash", ...words]);

describe("--preserve-fds", () => {
  bundleTest("hands on as many descriptors as it says, and no others", async (runtime) => {
    const { directory, id } = await runtime.bundle({ sh: LIST });
    const container = await runtime.start(SLEEP);
    const flags = ["--preserve-fds", "2"];
    const descriptors = "3</dev/null 4</dev/zero 5</dev/full";

    const run = await having(descriptors, runtime.words("run", ...flags, "--bundle", directory, id));
    const exec = await having(
      descriptors,
      runtime.words("exec", ...flags, container.id, "/bin/sh", "-c", LIST),
    );

    // The last one is ls's directory.
    expect([run.stdout, exec.stdout]).toEqual(["0 1 2 3 4 5\n", "0 1 2 3 4 5\n"]);
  });

  bundleTest(
    "is refused for a number that is not open, since others would be found there",
    async (runtime) => {
      const { directory, id } = await runtime.bundle({ sh: LIST });
      const container = await runtime.start(SLEEP);
      const flags = ["--preserve-fds", "3"];

      for (const words of [
        ["run", ...flags, "--bundle", directory, id],
        ["exec", ...flags, container.id, "/bin/sh", "-c", LIST],
      ]) {
        const { exitCode, stdout, stderr } = await having("3</dev/null 5</dev/null", runtime.words(...words));

        expect([exitCode === 0, stdout, stderr]).toEqual([
          false,
          "",
          "cannot preserve descriptor 4 (of 3): it is not open\n",
        ]);
      }
    },
  );
});

describe("--pidfd-socket", () => {
  bundleTest(
    "gives the caller a pidfd of the container's process, and of one of exec",
    async (runtime) => {
      const [own, other] = ["own", "other"].map((name) => `${runtime.directory}/${name}`) as [string, string];
      await using first = await receiveConsole(own);
      await using second = await receiveConsole(other);

      const container = await runtime.start(SLEEP, "--pidfd-socket", own);
      // A pidfd of a process that has ended, and been waited for, names none.
      const exec = container.sh("until [ -e /srv/read ]; do sleep 0.02; done", "--pidfd-socket", other);
      const said = [await first.output(), await second.output()];
      writeFileSync(`${container.bundle.root}/srv/read`, "");
      await exec;

      expect(said[0]).toBe(`standard ${(await container.state()).pid}\n`);
      expect(said[1]).toMatch(/^setns \d+\n$/);
    },
    ["program python3"],
  );

  bundleTest("is refused when nobody listens there, and leaves no container", async (runtime) => {
    const bundle = await runtime.bundle(SLEEP);

    const { exitCode, messages } = await runtime.tryCreate(
      bundle,
      "--pidfd-socket",
      "/proc/nonexistent/socket",
    );

    expect([exitCode, await runtime.findState(bundle.id)]).toEqual([1, undefined]);
    expect(messages).toContain('cannot send the pidfd to "/proc/nonexistent/socket"');
  });
});
