/** CVE-2019-5736: a container overwrote the runtime's executable through /proc/self/exe. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { programs } from "../helpers/bunker.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "../kernel/run/app.ts";

const entries = [
  { name: "bin/self", type: "symlink", link: "/proc/self/exe" },
  { name: "bin/script", data: "#!/proc/self/exe\n", mode: 0o755 },
];

describe("the executable of bunker", () => {
  for (const command of ["/bin/self", "/bin/script", "/proc/self/exe"]) {
    kernelTest(`is not what "${command}" of a hostile image runs`, RUN_NEEDS, async (sandbox) => {
      const app = await App.install(sandbox, { entries });
      const [executable] = programs["bun run src/main.ts"];
      const before = digestOf(executable);

      const { exitCode, stdout } = await app.run(["--privileged"], [command, "-e", "console.log('bunker')"]);

      expect(exitCode).not.toBe(0);
      expect(stdout).toBe("");
      expect(digestOf(executable)).toBe(before);
    });
  }

  kernelTest(
    "is nowhere to be found among the processes and descriptors of a container",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);

      const seen = await app.sh(
        "readlink /proc/*/exe /proc/*/fd/*; grep -hoE '/[^ ]*(bun|memfd)[^ ]*' /proc/*/maps; true",
        ["--privileged"],
      );

      const files = seen.split("\n").filter((path) => path.startsWith("/"));
      expect(files.filter((path) => !/^\/(bin\/busybox|dev\/null|proc\/)/.test(path))).toEqual([]);
    },
  );

  kernelTest("cannot be written through the init of a container", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("readlink /proc/1/exe; (echo x >> /proc/1/exe) 2>&1 || echo refused", [
      "--privileged",
      "--init",
    ]);

    expect(output).toMatch(/memfd/);
    expect(output).toEndWith("refused\n");
  });
});

const digestOf = (path: string): string =>
  new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
