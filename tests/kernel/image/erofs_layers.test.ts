/** Layers that are files: pulled, run in every grade, looked at, checked, removed. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { whyNoImages } from "../../../src/image/erofs/layer_form.ts";
import { programs } from "../../helpers/bunker.ts";
import { CONFINED_NEEDS, onOverlay, refusing } from "../../helpers/confined.ts";
import { layerForms } from "../../helpers/layer_sandbox.ts";
import { runPiped } from "../../helpers/pipes.ts";
import { titleOf } from "../../helpers/requires.ts";
import { kernelTest, Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

const [, missing] = layerForms.find(([form]) => form === "erofs") ?? [];
const NEEDS = [...RUN_NEEDS, ...CONFINED_NEEDS];
const [EPERM, EACCES] = [1, 13];

const entries: readonly TarEntry[] = [
  { name: "srv/data", data: "from the image", mode: 0o640, uid: 1000, gid: 50 },
  { name: "srv/hard", type: "hardlink", link: "srv/data" },
  { name: "srv/null", type: "char", major: 1, minor: 3, mode: 0o666 },
  { name: "srv/setuid", data: "x", mode: 0o4755 },
  { name: "home/.wh.user" },
  { name: "linked", type: "hardlink", link: "etc/passwd" },
];
/** What a container shows of its root. */
const LOOK =
  "cd /srv; stat -c '%n %F %a %u:%g %h' *; cat data; ls -A /home; stat -c '%h' /linked; cat /linked | head -n 1; " +
  "stat -c %d / /bin /bin/busybox /srv/data | sort -u | wc -l";

function erofsTest(name: string, body: (sandbox: Sandbox) => Promise<void>): void {
  if (missing === undefined) kernelTest(name, NEEDS, body, 60_000);
  else test.skip(titleOf(name, missing), () => undefined);
}

const layersOf = (sandbox: Sandbox): string[] => readdirSync(`${sandbox.root}/l`);
const confined = async (app: App, prefix: readonly string[], script: string) =>
  await runPiped(
    [...prefix, ...programs["bun run src/main.ts"], ...app.words([], ["/bin/sh", "-c", script])],
    { env: app.environment as Record<string, string> },
  );

describe("layers that are EROFS images", () => {
  erofsTest("show in a container what directories show", async (sandbox) => {
    const app = await App.install(sandbox, { entries, layers: "erofs" });
    const other = new Sandbox();
    try {
      const directories = await App.install(other, { entries, layers: "directories" });

      const shown = await app.sh(LOOK);

      expect(layersOf(sandbox).every((name) => name.endsWith(".erofs"))).toBeTrue();
      expect(shown).toBe(await directories.sh(LOOK));
      expect(shown).toContain("data regular file 640 1000:50 2\nhard regular file 640 1000:50 2\n");
      expect(shown).toEndWith("2\nroot:x:0:0:root:/root:/bin/sh\n1\n");
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  erofsTest("can be written over, and nothing of it stays", async (sandbox) => {
    const app = await App.install(sandbox, { entries, layers: "erofs" });
    const script =
      "echo new > /srv/data; rm /srv/hard; mv /etc/group /etc/g; cat /srv/data /etc/g | wc -l; ls /srv";

    const first = await app.sh(script);
    const second = await app.sh(script);

    expect(first).toBe("5\ndata\nnull\nsetuid\n");
    expect(second).toBe(first);
    // The rest of the table is other programs'.
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toMatch(/ erofs |bunker-sandbox/);
  });

  erofsTest(
    "give no more rights than directories: no devices, set-user-id as the options say",
    async (sandbox) => {
      const app = await App.install(sandbox, { entries, layers: "erofs" });

      const opened = await app.run([], ["/bin/sh", "-c", "echo x > /srv/null"]);
      const flags = await app.sh("grep ' / / ' /proc/self/mountinfo | cut -d ' ' -f 6");

      expect(opened.exitCode).toBe(opened.exitCode === 0 && !flags.includes("nodev") ? 0 : 1);
      expect(flags).not.toContain("nosuid");
    },
  );

  const noMount = refusing({ pivot_root: EPERM, mount: EACCES, move_mount: EACCES });
  const lesser: ReadonlyArray<readonly [string, (sandbox: Sandbox) => readonly string[]]> = [
    ["without pivot_root", () => refusing({ pivot_root: EPERM })],
    ["without mount", () => noMount],
    // Of a file on overlayfs the kernel mounts nothing.
    ["with data on overlayfs", ({ root, directory }) => onOverlay(root, directory, 1)],
  ];
  for (const [what, prefix] of lesser) {
    erofsTest(`are run ${what} too`, async (sandbox) => {
      const app = await App.install(sandbox, { entries, layers: "erofs" });

      const { exitCode, stdout, stderr } = await confined(
        app,
        prefix(sandbox),
        "cat /srv/hard; ls -A /home; id -u",
      );

      expect({ exitCode, stderr, stdout }).toEqual({ exitCode: 0, stderr: "", stdout: "from the image0\n" });
    });
  }

  erofsTest("stand in one stack with directories", async (sandbox) => {
    await App.install(sandbox, { layers: "directories" });
    const app = await App.install(sandbox, { entries, layers: "erofs" });

    const shown = await app.sh(LOOK);

    const forms = layersOf(sandbox).map((name) => name.endsWith(".erofs"));
    expect(forms.sort()).toEqual([false, true]);
    expect(shown).toContain("data regular file 640 1000:50 2\n");
  });

  erofsTest("are removed by rmi, and counted before", async (sandbox) => {
    const app = await App.install(sandbox, { entries, layers: "erofs" });
    const PROGRAM = { program: "bun run src/main.ts" } as const;

    const usage = await sandbox.bunker(["system", "df", "--json"], PROGRAM);
    const listed = await sandbox.bunker(["image", "ls", app.reference, "/srv"], PROGRAM);
    const removed = await sandbox.bunker(["rmi", app.reference], PROGRAM);

    expect(JSON.parse(usage.stdout)[0]).toMatchObject({ type: "Images", total: 1 });
    expect(JSON.parse(usage.stdout)[0].sizeBytes).toBeGreaterThan(1_000_000);
    expect(listed.stdout).toContain("setuid");
    expect(removed.exitCode).toBe(0);
    expect([layersOf(sandbox), readdirSync(`${sandbox.root}/layers`)]).toEqual([[], []]);
  });

  const damages: ReadonlyArray<readonly [what: string, damage: (path: string) => void, state: string]> = [
    ["cut short", (path) => truncateSync(path, 4096), "its file is damaged"],
    ["overwritten", (path) => writeFileSync(path, "x".repeat(8192)), "its file is damaged"],
  ];
  for (const [what, damage, state] of damages) {
    erofsTest(`are told of by system check when ${what}, and unpacked again`, async (sandbox) => {
      await App.install(sandbox, { entries, layers: "erofs" });
      const PROGRAM = { program: "bun run src/main.ts" } as const;
      for (const name of layersOf(sandbox)) damage(`${sandbox.root}/l/${name}`);

      const found = await sandbox.bunker(["system", "check"], PROGRAM);
      const repaired = await sandbox.bunker(["system", "check", "--repair"], PROGRAM);

      expect(found).toMatchObject({ exitCode: 1, stderr: "" });
      expect(found.stdout).toMatch(new RegExp(`^layers/[cd][0-9a-f]{24}\\.erofs\\.json: ${state}$`, "m"));
      expect(repaired).toMatchObject({ exitCode: 0, stderr: "" });
      expect(repaired.stdout).toMatch(/^Unpacked again: l\/[cd][0-9a-f]{24}\.erofs$/m);
      expect(await sandbox.bunker(["system", "check", "--full"], PROGRAM)).toMatchObject({ exitCode: 0 });
    });
  }

  erofsTest("are compared file by file by system check --full, and unpacked again", async (sandbox) => {
    const app = await App.install(sandbox, { entries, layers: "erofs" });
    const PROGRAM = { program: "bun run src/main.ts" } as const;
    const content = Buffer.from("from the image");
    const path = layersOf(sandbox)
      .map((name) => `${sandbox.root}/l/${name}`)
      .find((each) => readFileSync(each).includes(content));
    const bytes = readFileSync(path ?? "");
    bytes[bytes.indexOf(content)] = 0x46;
    writeFileSync(path ?? "", bytes);

    const quick = await sandbox.bunker(["system", "check"], PROGRAM);
    const full = await sandbox.bunker(["system", "check", "--full"], PROGRAM);
    const repaired = await sandbox.bunker(["system", "check", "--full", "--repair"], PROGRAM);

    expect(quick.exitCode).toBe(0);
    expect(full).toMatchObject({ exitCode: 1, stderr: "" });
    expect(full.stdout).toContain("has other content");
    expect(repaired.stdout).toMatch(/^Unpacked again: l\/[cd][0-9a-f]{24}\.erofs$/m);
    expect((await app.sh("cat /srv/hard")).toString()).toContain("from the image");
  });

  erofsTest("are what info names when the configuration asks for them", async (sandbox) => {
    const config = `${sandbox.directory}/config.json`;
    writeFileSync(config, '{"layers": "erofs"}');
    const options = { program: "bun run src/main.ts" } as const;

    const byDefault = await sandbox.bunker(["info"], options);
    const asked = await sandbox.bunker(["--config", config, "info"], options);
    writeFileSync(config, '{"layers": "squashfs"}');
    const unknown = await sandbox.bunker(["--config", config, "info"], options);

    expect(byDefault.stdout).toMatch(/^ *layers are kept as:? +directories$/m);
    expect(asked.stdout).toMatch(/^ *layers are kept as:? +EROFS images$/m);
    expect(unknown.stderr).toContain('expected "erofs" or "directories"');
  });

  erofsTest("are not chosen where no namespaces may be made, and the pull goes on", async (sandbox) => {
    const script = `
      import { pullImage } from "${import.meta.dir}/../../../src/image/pull.ts";
      import { parseReference } from "${import.meta.dir}/../../../src/oci/reference.ts";
      import { serveRegistry } from "${import.meta.dir}/../../helpers/fake_registry.ts";
      import { buildImage } from "${import.meta.dir}/../../helpers/image_builder.ts";
      const image = buildImage({ layers: [{ entries: [{ name: "file" }] }] });
      await using registry = serveRegistry({ images: { "app:latest": image } });
      const reference = parseReference(registry.host + "/app");
      const pulled = await pullImage({ reference, root: "${sandbox.root}", layers: "erofs" });
      console.log(pulled.image.layers.length);
    `;
    const without = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];

    const result = await runPiped([...without, process.execPath, "-e", script], {
      env: { PATH: process.env["PATH"] ?? "" },
    });

    expect(result).toMatchObject({ exitCode: 0, stdout: "1\n" });
    expect(layersOf(sandbox).map((name) => name.endsWith(".erofs"))).toEqual([false]);
  });

  erofsTest("are not chosen where the kernel refuses them", async (sandbox) => {
    const inside = `${sandbox.directory}/no-such/deeper`;

    expect(whyNoImages(inside)).rejects.toThrow("ENOENT");
    expect(await whyNoImages(`${sandbox.directory}/probe`)).toBeUndefined();
  });
});
