/** Programs that start in a user namespace: each must be known by its own process id, however the two processes race. */
import { describe, expect } from "bun:test";
import { finishProgram, programWithReport } from "../../src/linux/spawn.ts";
import { pollForExit } from "../../src/linux/wait.ts";
import { startInUserNamespace } from "../../src/runtime/user_namespace.ts";
import { kernelTest } from "../helpers/sandbox.ts";

/** One start in a hundred went wrong when both processes stored the result of clone in one place. */
const STARTS = 1000;

describe("startInUserNamespace()", () => {
  kernelTest(
    "knows the process that it has started, every time",
    ["root", "user namespaces"],
    async (sandbox) => {
      const self = [{ containerID: 0, hostID: 0, size: 1 }];
      const program = programWithReport();
      program.exit_group(7);
      const finished = finishProgram(program);

      for (let start = 0; start < STARTS; start++) {
        const started = startInUserNamespace(finished, {
          maps: { uidMappings: self, gidMappings: self },
          namespaces: 0,
          programFile: `${sandbox.directory}/program`,
        });

        expect(started.pid).toBeGreaterThan(0);
        expect(await pollForExit(started.pidfd)).toEqual({ code: 7 });
        started.release();
      }
    },
    60_000,
  );
});
