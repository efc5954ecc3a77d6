/** CVE-2019-5736: a container overwrote the runtime's executable, which it had reached through /proc/self/exe. */
import { describe, expect } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { attackTest } from "../../helpers/attack.ts";
import type { Bundle } from "../../helpers/oci_runtime.ts";

const COMMANDS = ["/bin/self", "/bin/script", "/proc/self/exe", "/proc/1/exe"];

function plant({ root }: Bundle): void {
  symlinkSync("/proc/self/exe", `${root}/bin/self`);
  writeFileSync(`${root}/bin/script`, "#!/proc/self/exe\n", { mode: 0o755 });
}

describe("the executable of bunker", () => {
  for (const command of COMMANDS) {
    attackTest(`is not what "${command}" of a hostile root runs`, async ({ runtime }) => {
      const bundle = await runtime.bundle({ process: { args: [command, "features"] } });
      plant(bundle);

      const { exitCode, stdout } = await runtime.run(bundle);

      expect(exitCode).not.toBe(0);
      expect(stdout).toBe("");
    });

    attackTest(`is not what exec of "${command}" runs`, async ({ runtime }) => {
      const bundle = await runtime.bundle({ process: { args: ["/bin/sleep", "60"] } });
      plant(bundle);
      const container = await runtime.start(bundle);

      const { stdout } = await runtime.command("exec", container.id, command, "features");

      expect(stdout).not.toContain("ociVersion");
    });
  }

  attackTest("cannot be opened for writing by processes that see others enter", async ({ runtime }) => {
    const sh =
      "while true; do for p in /proc/[0-9]*; do (echo written > $p/exe) 2> /dev/null && echo $p >> /tmp/won; done; done";
    const container = await runtime.start({ sh });

    for (let run = 0; run < 30; run++) await container.sh("true");

    expect(await container.sh("cat /tmp/won 2> /dev/null | wc -l")).toBe("0\n");
  });
});
