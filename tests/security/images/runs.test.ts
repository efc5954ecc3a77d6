/** Images whose configuration or files aim at whoever runs them: nothing of the host is made, read or executed for them. */
import { describe, expect } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { HostWatch } from "../../helpers/hostile_archive.ts";
import { buildImage } from "../../helpers/image_builder.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { App, baseLayer, RUN_NEEDS } from "../../kernel/run/app.ts";

const up = "../".repeat(24);
const links = (target: string): readonly (readonly [string, string])[] => [
  ["an absolute symlink", target],
  ["a symlink that climbs out", `${up}${target.slice(1)}`],
];
const TERABYTE = 2 ** 40;
const hole = (name: string, realSize: number): TarEntry => ({
  name,
  sparse: { form: "pax-1.0", realSize, segments: [] },
});

const TEST_MS_MAX = 60_000;
const runTest = (name: string, body: (sandbox: Sandbox) => Promise<void>): void =>
  kernelTest(name, RUN_NEEDS, body, TEST_MS_MAX);

describe("an image", () => {
  runTest(
    "CVE-2026-55686: whose working directory leads through a symlink, makes nothing on the host",
    async (sandbox) => {
      const host = new HostWatch(sandbox);
      for (const [, link] of links(host.outside)) {
        const app = await App.install(sandbox, {
          entries: [{ name: "link", type: "symlink", link }],
          config: { WorkingDir: "/link/made/here" },
        });

        const { exitCode } = await app.run([], ["/bin/pwd"]);

        expect(exitCode).not.toBeNull();
        host.expectUnchanged();
      }
    },
  );

  runTest("CVE-2022-23648: whose volumes are paths of the host, shows nothing of it", async (sandbox) => {
    const host = new HostWatch(sandbox);
    for (const [, link] of links(host.outside)) {
      const app = await App.install(sandbox, {
        entries: [{ name: "link", type: "symlink", link }],
        config: { Volumes: { [`/${up}${host.outside.slice(1)}`]: {}, "/link": {}, "/link/etc": {} } },
      });

      const { stdout } = await app.run(
        [],
        ["/bin/sh", "-c", `cat /link/victim ${host.outside}/victim /etc/shadow; true`],
      );

      expect(stdout).not.toContain("untouched");
      host.expectUnchanged();
    }
  });

  runTest(
    "CVE-2026-53488: whose labels name a program of the host, has them shown and nothing else",
    async (sandbox) => {
      const marker = `${sandbox.directory}/marker`;
      const program = `${sandbox.directory}/program`;
      writeFileSync(program, `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
      const names = [
        "containerd.io/restart.loguri",
        "io.containerd.log",
        "nerdctl/log-uri",
        "bunker.log",
        "logger",
      ];
      const app = await App.install(sandbox, {
        config: { Labels: Object.fromEntries(names.map((name) => [name, `binary://${program}`])) },
      });

      const { exitCode } = await app.run([], ["/bin/true"]);

      expect(exitCode).toBe(0);
      expect(existsSync(marker)).toBeFalse();
    },
  );

  runTest("CVE-2026-53492: whose annotations ask for devices, gets those of any image", async (sandbox) => {
    const annotations = { "cdi.k8s.io/x": "vendor.com/device=all", "cdi.k8s.io/gpu": "nvidia.com/gpu=all" };
    const plain = await App.install(sandbox);
    const asking = await App.install(sandbox, {
      image: {
        layers: [baseLayer()],
        config: { Env: ["PATH=/bin"], Labels: annotations },
        manifestDocument: { annotations },
      },
    });

    const devices = [await plain.sh("ls -lR /dev | wc -l"), await asking.sh("ls -lR /dev | wc -l")];

    expect(devices[1]).toBe(devices[0] ?? "");
  });

  const passwds: ReadonlyArray<readonly [what: string, entry: TarEntry]> = [
    ["a pipe", { name: "etc/passwd", type: "fifo" }],
    ["a link to /dev/zero", { name: "etc/passwd", type: "symlink", link: "/dev/zero" }],
    ["a link to a file of the host", { name: "etc/passwd", type: "symlink", link: `${up}etc/passwd` }],
    ["a directory", { name: "etc/passwd/", type: "dir" }],
    ["a hole of a terabyte", hole("etc/passwd", TERABYTE)],
  ];
  for (const [what, entry] of passwds) {
    runTest(
      `CVE-2024-9676: whose /etc/passwd is ${what}, keeps nobody waiting and gives no user`,
      async (sandbox) => {
        const base = baseLayer();
        const entries = (base.entries ?? []).filter(({ name }) => name !== "etc/passwd");
        const app = await App.install(sandbox, {
          image: { layers: [{ ...base, entries: [...entries, entry] }], config: { Env: ["PATH=/bin"] } },
        });

        const { exitCode, stdout } = await app.run(["-u", "daemon"], ["/bin/true"]);
        const numeric = await app.run(["-u", "1000:1000"], ["/bin/true"]);

        expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
        expect([0, 125]).toContain(numeric.exitCode ?? -1);
      },
    );
  }

  runTest(
    "CVE-2026-47262: whose /etc/group is a hole of a gigabyte, costs no memory of its size",
    async (sandbox) => {
      const base = baseLayer();
      const entries = (base.entries ?? []).filter(({ name }) => name !== "etc/group");
      const app = await App.install(sandbox, {
        image: { layers: [{ ...base, entries: [...entries, hole("etc/group", 2 ** 30)] }] },
      });

      const started = performance.now();
      const { exitCode } = await app.run(["-u", "user"], ["/bin/true"]);

      expect([0, 125]).toContain(exitCode ?? -1);
      expect(performance.now() - started).toBeLessThan(30_000);
    },
  );

  runTest(
    "CVE-2024-24557: that says it has a layer of another image, gets that by its content or nothing",
    async (sandbox) => {
      const good = buildImage({ layers: [baseLayer(), { entries: [{ name: "data", data: "good" }] }] });
      const evil = { entries: [{ name: "data", data: "evil" }], diffId: good.layers[1]?.diffId ?? "" };
      const first = await App.install(sandbox, { image: { layers: [baseLayer(), evil], config: {} } }).catch(
        (error: Error) => error,
      );
      const second = await App.install(sandbox, {
        image: {
          layers: [baseLayer(), { entries: [{ name: "data", data: "good" }] }],
          config: { Env: ["PATH=/bin"] },
        },
      });

      expect(first).toBeInstanceOf(Error);
      expect(await second.sh("cat /data")).toBe("good");
    },
  );
});
