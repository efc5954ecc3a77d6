/** A disk that is full, a limit of open files: create fails with a sentence, or succeeds, and delete leaves nothing. */
import { describe, expect } from "bun:test";
import { Runtime } from "../../helpers/oci_runtime.ts";
import { runPiped } from "../../helpers/pipes.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox", "program prlimit"];
const TEST_MS_MAX = 180_000;

/** From a state on a file system with the options to nothing; each line is a command's exit code. */
const LIFE = `
mount -t tmpfs -o "$1" tmpfs "$2" && cd "$3" && shift 3
bundle=$1 id=$2; shift 2
"$@" create --bundle "$bundle" "$id" < /dev/null > out 2> err; echo create $?
"$@" list > list; echo list $?
"$@" state "$id" > state 2> state.err; echo state $?
"$@" delete --force "$id"; echo delete $?
echo left $("$@" list --quiet | wc -l) $(ls "$STATE" | grep -vc '^~') $(find "$STATE" -path '*/~*.*' | wc -l)
cat err >&2
`;

describe("a state directory without room", () => {
  const sizes = [4, 8, 12, 16, 24, 32, 64].map((size) => `size=${size}k`);
  const counts = [1, 2, 3, 4, 5, 6, 7, 8, 12].map((count) => `nr_inodes=${count}`);

  kernelTest(
    "makes create fail with a reason, and nothing is left",
    NEEDS,
    async (sandbox) => {
      await using runtime = new Runtime("bunker", sandbox);
      await runPiped(["mkdir", "-p", sandbox.state]);
      const created: string[] = [];
      for (const options of [...sizes, ...counts]) {
        const bundle = await runtime.bundle({ process: { args: ["/bin/sleep", "60"] } });
        const words = [
          "sh",
          "-c",
          LIFE,
          "sh",
          options,
          sandbox.state,
          bundle.directory,
          bundle.directory,
          bundle.id,
        ];
        const { stdout, stderr } = await runPiped(
          [
            "env",
            `STATE=${sandbox.state}`,
            "unshare",
            "--mount",
            "--propagation",
            "private",
            ...words,
            ...runtime.words(),
          ],
          { timeoutMs: TEST_MS_MAX },
        );

        const succeeded = stdout.includes("create 0\n");
        if (succeeded) created.push(options);
        expect({ options, stdout }).toEqual({
          options,
          stdout: `create ${succeeded ? 0 : 1}\nlist 0\nstate ${succeeded ? 0 : 1}\ndelete 0\nleft 0 0 0\n`,
        });
        if (!succeeded) expect(stderr).toMatch(new RegExp(`"${sandbox.state}/.*ENOSPC`));
        expect(await sandbox.leftBehind()).toEqual([]);
      }
      expect(created.length).toBeGreaterThan(0);
      expect(created.length).toBeLessThan(sizes.length + counts.length);
    },
    TEST_MS_MAX,
  );
});

describe("a limit of open files", () => {
  kernelTest(
    "makes create fail with a reason, and nothing is left",
    NEEDS,
    async (sandbox) => {
      await using runtime = new Runtime("bunker", sandbox);
      let failed = 0;
      for (let limit = 12; limit <= 44; limit += 2) {
        const bundle = await runtime.bundle({ process: { args: ["/bin/sleep", "60"] } });
        const child = Bun.spawn(
          [
            "prlimit",
            `--nofile=${limit}`,
            ...runtime.words("create", "--bundle", bundle.directory, bundle.id),
          ],
          { stdio: ["ignore", "ignore", "ignore"] },
        );
        if ((await child.exited) !== 0) failed++;

        const { exitCode, stderr } = await runtime.command("delete", "--force", bundle.id);

        expect({ limit, exitCode, stderr }).toEqual({ limit, exitCode: 0, stderr: "" });
        expect(await sandbox.leftBehind()).toEqual([]);
      }
      expect(failed).toBeGreaterThan(0);
    },
    TEST_MS_MAX,
  );
});
