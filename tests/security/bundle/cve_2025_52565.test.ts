/** CVE-2025-52565: /dev/pts and /dev/console of the root were links when the terminal was mounted. */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { attackTest, bind } from "../../helpers/attack.ts";
import { receiveConsole } from "../../helpers/console_socket.ts";
import { MOUNTS } from "../../helpers/runtime_bundle.ts";

const [PROC, , PTS] = MOUNTS;
const terminal = { terminal: true, args: ["/bin/sh", "-c", "tty; stat -c %F /dev/console; ls -A /dev/pts"] };

describe("the console of a root without a mount on /dev", () => {
  for (const name of ["console", "pts", "ptmx"]) {
    for (const where of ["the host", "procfs"]) {
      attackTest(
        `never lands at a link of /dev/${name} to ${where}`,
        async ({ runtime, sandbox, outside, linkTo }) => {
          const mounts = name === "pts" ? [PROC] : [PROC, PTS];
          const bundle = await runtime.bundle({ process: terminal, mounts });
          if (name !== "pts") mkdirSync(`${bundle.root}/dev/pts`, { recursive: true });
          const target = where === "procfs" ? "/proc/self/attr" : linkTo(`${outside}/${name}`);
          symlinkSync(target, `${bundle.root}/dev/${name}`);
          const socket = `${sandbox.directory}/console`;
          await using _receiver = await receiveConsole(socket);

          const { exitCode, messages } = await runtime.tryCreate(bundle, "--console-socket", socket);

          // A terminal of the container's own devpts, or none: /dev/ptmx of the root does not matter.
          if (exitCode !== 0)
            expect(messages).toMatch(/(symbolic links|no such device|not a directory|ELOOP|ENODEV|ENOTDIR)/);
          else expect(name).toBe("ptmx");
        },
        ["program python3"],
      );
    }
  }

  attackTest(
    "comes from a devpts and nothing else",
    async ({ runtime, sandbox, outside }) => {
      writeFileSync(`${sandbox.directory}/marker`, "");
      const bundle = await runtime.bundle({ process: terminal, mounts: [PROC, bind(outside, "/dev/pts")] });
      const socket = `${sandbox.directory}/console`;
      await using _receiver = await receiveConsole(socket);

      const { exitCode, messages } = await runtime.tryCreate(bundle, "--console-socket", socket);

      expect(exitCode).not.toBe(0);
      expect(messages).toContain("open a terminal in /dev/pts");
    },
    ["program python3"],
  );
});
