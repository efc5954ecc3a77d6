/**
 * Images whose /proc, /sys, /dev, /etc or devices are not what they seem: CVE-2019-16884, CVE-2019-19921, CVE-2023-27561
 * (/proc as a link), CVE-2026-41579 (/dev as a link), CVE-2025-31133 (/dev/null is another file), CVE-2025-52565
 * (/dev/pts and /dev/console are links), CVE-2019-18837 (links at the files that an engine makes).
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { MASKED_PATHS } from "../../src/runtime/security/paths.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { App, baseLayer, RUN_NEEDS } from "../kernel/run/app.ts";

describe("an image", () => {
  for (const name of ["proc", "sys", "dev"]) {
    for (const link of ["tmp", "/tmp", "../../../../..", "/etc"]) {
      kernelTest(
        `whose /${name} is a link to "${link}" is refused, or gets a real /${name}`,
        RUN_NEEDS,
        async (sandbox) => {
          const app = await installWith(sandbox, [{ name, type: "symlink", link }]);

          const { exitCode, stdout, stderr } = await app.run(
            [],
            ["/bin/sh", "-c", `grep -c ' /${name} ' /proc/self/mounts`],
          );

          if (exitCode === 0) expect(stdout).toBe("1\n");
          else
            expect({ exitCode, stderr }).toEqual({
              exitCode: 125,
              stderr: expect.stringContaining(`/${name}`),
            });
        },
      );
    }
  }

  kernelTest(
    "whose /dev is a link to a directory of the host leaves that alone",
    RUN_NEEDS,
    async (sandbox) => {
      const outside = outsideOf(sandbox);
      const app = await installWith(sandbox, [
        { name: "dev", type: "symlink", link: `../../../../../../../../../..${outside}` },
      ]);

      const { exitCode } = await app.run([], ["/bin/true"]);

      expect(exitCode).not.toBeNull();
      expect(readdirSync(outside)).toEqual(["ptmx"]);
    },
  );

  const nulls: readonly TarEntry[] = [
    { name: "dev/null", type: "symlink", link: "/proc/self/status" },
    { name: "dev/null", data: "regular\n", mode: 0o666 },
    { name: "dev/null", type: "char", major: 1, minor: 5, mode: 0o666 },
  ];
  for (const entry of nulls) {
    kernelTest(
      `whose /dev/null is a ${entry.type ?? "file"} masks paths all the same`,
      RUN_NEEDS,
      async (sandbox) => {
        const app = await App.install(sandbox, { entries: [{ name: "dev/" }, entry] });
        const script = `for path in ${MASKED_PATHS.join(" ")} /dev/null; do
        if [ -d $path ]; then ls -A $path; elif [ -e $path ]; then stat -c %t:%T $path; fi; done | sort -u`;

        expect(await app.sh(script)).toBe("1:3\n");
      },
    );
  }

  kernelTest("whose terminals are links gives -t a real one", RUN_NEEDS, async (sandbox) => {
    const outside = outsideOf(sandbox);
    const entries: readonly TarEntry[] = [
      { name: "dev/" },
      { name: "dev/pts", type: "symlink", link: "/tmp" },
      { name: "dev/console", type: "symlink", link: "/etc/passwd" },
      { name: "dev/ptmx", type: "symlink", link: `../../../../../..${outside}/ptmx` },
    ];
    const app = await App.install(sandbox, { entries });

    const { stdout } = await app.run(
      ["-t"],
      ["/bin/sh", "-c", "tty; stat -c %F /dev/console; head -c 4 /etc/passwd"],
    );

    expect(stdout).toBe("/dev/pts/0\r\ncharacter special file\r\nroot");
    expect(readdirSync(outside)).toEqual(["ptmx"]);
  });

  kernelTest("whose files of /etc are links changes nothing where they lead", RUN_NEEDS, async (sandbox) => {
    const outside = outsideOf(sandbox);
    const up = "../../../../../../../..";
    const app = await App.install(sandbox, {
      entries: [
        { name: "etc/hosts", type: "symlink", link: `${up}${outside}/ptmx` },
        { name: "etc/hostname", type: "symlink", link: "/etc/passwd" },
        { name: "etc/resolv.conf", type: "symlink", link: "/proc/self/status" },
      ],
    });

    const { exitCode } = await app.run([], ["/bin/true"]);

    expect(exitCode).not.toBeNull();
    expect(await Bun.file(`${outside}/ptmx`).text()).toBe("marker\n");
  });

  kernelTest("that asks for a volume on /proc gets none", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { Volumes: { "/proc": {}, "/sys": {} } } });

    expect(await app.sh("head -c 5 /proc/self/status")).toBe("Name:");
  });
});

/** An image in which `entries` stand in the place of the directories of their names. */
async function installWith(sandbox: Sandbox, entries: readonly TarEntry[]): Promise<App> {
  const names = entries.map(({ name }) => `${name}/`);
  const base = baseLayer();
  const kept = (base.entries ?? []).filter(({ name }) => !names.includes(String(name)));
  return App.install(sandbox, {
    image: { layers: [{ ...base, entries: [...kept, ...entries] }], config: { Env: ["PATH=/bin"] } },
  });
}

/** A directory of the host with a marker in it. */
function outsideOf(sandbox: Sandbox): string {
  const path = `${sandbox.directory}/outside`;
  mkdirSync(path);
  writeFileSync(`${path}/ptmx`, "marker\n");
  return path;
}
