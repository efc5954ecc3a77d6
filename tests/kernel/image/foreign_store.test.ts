/**
 * A store that another machine, or another kernel, has filled: layers that are files work wherever it comes to lie, mounted
 * where the kernel mounts them (Linux 6.12), copied and read elsewhere. tests/vm has both.
 */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { LayerUnpacker } from "../../../src/image/unpack/layer_unpacker.ts";
import { blobPath } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { findImage, formatRecord, recordPath } from "../../../src/store/find_image.ts";
import { readLayerRecord } from "../../../src/store/layers.ts";
import { imageLayerName, layerDirectory, layerNameAt, layerRecordPath } from "../../../src/store/layout.ts";
import { layerForms, rootOptions } from "../../helpers/layer_sandbox.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

const PROGRAM = { program: "bun run src/main.ts" } as const;
const [, refusal] = layerForms.find(([form]) => form === "erofs") ?? [];
const entries: readonly TarEntry[] = [
  { name: "srv/", mode: 0o750, gid: 50 },
  { name: "srv/data", data: "from the image", mode: 0o640, uid: 1000, gid: 50 },
  { name: "srv/hard", type: "hardlink", link: "srv/data" },
  { name: "home/" },
  { name: "home/.wh.user" },
];
const LOOK = "cd /srv; stat -c '%n %F %a %u:%g %h' . *; cat data; ls -A /home; cat /etc/passwd | head -n 1";

/** Makes the highest layer of an image what a pull elsewhere would have made of it: a file. */
function makeImage(sandbox: Sandbox, app: App): string {
  const { root } = sandbox;
  const reference = parseReference(app.reference);
  const image = findImage(root, reference);
  const directory = image?.layers.at(-1);
  if (image === undefined || directory === undefined) throw new Error("there is no image");
  const name = layerNameAt(directory);
  const record = readLayerRecord(root, name);
  if (record === undefined) throw new Error("there is no layer");
  const file = imageLayerName(name);
  const blob = readFileSync(`${root}/${blobPath(record.blob)}`);
  using unpacker = new LayerUnpacker(`${root}/${layerDirectory(file)}`, { ...rootOptions, form: "erofs" });
  unpacker.push(Bun.gunzipSync(blob));
  unpacker.finish();
  writeFileSync(`${root}/${layerRecordPath(file)}`, JSON.stringify({ ...record, form: "erofs" }));
  const path = `${root}/${recordPath(reference)}`;
  const layers = [...image.layers.slice(0, -1), layerDirectory(file)];
  writeFileSync(path, formatRecord({ ...image, layers }));
  rmSync(`${root}/${directory}`, { recursive: true });
  rmSync(`${root}/${layerRecordPath(name)}`);
  return file;
}

async function installed(sandbox: Sandbox): Promise<{ app: App; before: string; file: string }> {
  const app = await App.install(sandbox, { entries, layers: "directories" });
  const before = await app.sh(LOOK);
  return { app, before, file: makeImage(sandbox, app) };
}

describe("a stack of a directory and a file", () => {
  kernelTest(
    "runs as one of directories does",
    RUN_NEEDS,
    async (sandbox) => {
      const { app, before } = await installed(sandbox);

      const shown = await app.sh(LOOK);
      const written = await app.sh("echo new > /srv/data; rm /srv/hard; cat /srv/data; ls /srv");

      expect(shown).toBe(before);
      expect(shown).toContain(
        "data regular file 640 1000:50 2\nhard regular file 640 1000:50 2\nfrom the image",
      );
      expect(written).toBe("new\ndata\n");
    },
    120_000,
  );

  kernelTest(
    "is looked at, checked, exported and removed",
    RUN_NEEDS,
    async (sandbox) => {
      const { app, file } = await installed(sandbox);
      const archive = `${sandbox.directory}/archive.tar`;

      const listed = await sandbox.bunker(["image", "ls", app.reference, "/srv"], PROGRAM);
      const checked = await sandbox.bunker(["system", "check", "--full"], PROGRAM);
      const exported = await sandbox.bunker(["export", "-o", archive, app.reference], PROGRAM);
      const removed = await sandbox.bunker(["rmi", app.reference], PROGRAM);

      expect(listed.stdout).toContain("data");
      for (const result of [checked, exported, removed])
        expect(result).toMatchObject({ exitCode: 0, stderr: "" });
      expect(readFileSync(archive).includes("from the image")).toBeTrue();
      expect(existsSync(`${sandbox.root}/${layerDirectory(file)}`)).toBeFalse();
    },
    120_000,
  );
});

describe('"layers": "erofs"', () => {
  kernelTest(
    "gives files where the kernel mounts them and directories elsewhere, and info says why",
    RUN_NEEDS,
    async (sandbox) => {
      const config = `${sandbox.directory}/config.json`;
      writeFileSync(config, '{"layers": "erofs"}');

      const app = await App.install(sandbox, { entries, layers: "erofs" });
      const info = await sandbox.bunker(["--config", config, "info"], PROGRAM);

      const forms = readdirSync(`${sandbox.root}/l`).map((name) => name.endsWith(".erofs"));
      expect(forms).toEqual(Array(2).fill(refusal === undefined));
      const kept = refusal === undefined ? "EROFS images$" : "directories +\\(EROFS images: E[A-Z]+\\)$";
      expect(info.stdout).toMatch(new RegExp(`^ *layers are kept as:? +${kept}`, "m"));
      expect(await app.sh("cat /srv/hard")).toBe("from the image");
    },
    120_000,
  );
});
