/** What a terminal of exec shows, and when it ends. */
import { describe, expect } from "bun:test";
import { bundleTest } from "../../helpers/runtime_test.ts";

const SLEEP = { sh: "exec sleep 60" };
/** What is written last before the end would be missing in some of so many. */
const ROUNDS = 20;
const LINES = 3000;

describe("exec --tty", () => {
  bundleTest("ends with its command, whoever still holds the terminal", async (runtime) => {
    const { id } = await runtime.start(SLEEP);

    const script = "trap '' HUP; echo written; sleep 1000 & exit 3";
    const { exitCode, stdout } = await runtime.command("exec", "--tty", id, "sh", "-c", script);

    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "written\r\n" });
  });

  bundleTest("shows all that was written before the end", async (runtime) => {
    const { id } = await runtime.start(SLEEP);
    const expected = Array.from({ length: LINES }, (_, index) => `${index + 1}\r\n`).join("");

    for (let round = 0; round < ROUNDS; round++) {
      const script = `trap '' HUP; sleep 1000 & seq 1 ${LINES}`;
      const { stdout } = await runtime.command("exec", "--tty", id, "sh", "-c", script);

      expect(stdout).toBe(expected);
    }
  });
});
