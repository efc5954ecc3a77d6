/** `bunker image mount`: an image's files for ordinary programs, and the image stays as long as it is mounted. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { MergedFiles } from "../../src/image/tree/merged_files.ts";
import { openLayerPath } from "../../src/image/tree/open_layer_files.ts";
import { snapshotFiles } from "../helpers/files_snapshot.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { randomLayers } from "../helpers/random_layers.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { snapshotTree } from "../helpers/tree_snapshot.ts";

const app = buildImage({
  layers: [
    { entries: [{ name: "su", data: "su", mode: 0o4755 }, { name: "gone" }, { name: "dev/" }] },
    { entries: [{ name: ".wh.gone" }, { name: "dev/sda", type: "block", major: 8, minor: 0 }] },
  ],
});
const one = buildImage({ layers: [{ entries: [{ name: "only", data: "1" }] }] });
const random = buildImage({ layers: randomLayers(7, 12).map((entries) => ({ entries })) });
const images = { "app:latest": app, "one:latest": one, "random:latest": random };

describe("bunker image mount", () => {
  kernelTest("mounts read-only, without set-user-id programs and devices", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    await place.pull("app");

    const { exitCode, stdout, stderr } = await place.bunker(["image", "mount", place.name("app")]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const path = stdout.trim();
    expect(path).toStartWith(`${sandbox.root}/mounts/`);
    expect(readdirSync(path).sort()).toEqual(["dev", "su"]);
    expect(optionsOf(path)).toMatch(/^ro,nosuid,nodev/);
    expect(() => writeFileSync(`${path}/new`, "")).toThrow("EROFS");
    expect(() => readFileSync(`${path}/dev/sda`)).toThrow("EACCES");
    expect((await place.bunker(["image", "mount", place.name("app")])).stdout).toBe(stdout);
    expect((await place.bunker(["image", "mount"])).stdout).toBe(`${place.name("app")}:latest ${path}\n`);
    const json = await place.bunker(["image", "mount", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual([
      { id: app.configDigest, name: `${place.name("app")}:latest`, path },
    ]);
  });

  kernelTest("shows what the layers show when they are read one by one", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    await place.pull("random");

    const { stdout } = await place.bunker(["image", "mount", place.name("random")]);

    const template = "{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}";
    const layers = (await place.bunker(["inspect", "-f", template, place.name("random")])).stdout.trim();
    using merged = new MergedFiles(layers.split(":").map(openLayerPath));
    expect(snapshotTree(stdout.trim())).toEqual(snapshotFiles(merged));
  });

  kernelTest("mounts at a directory of any name, an image of one layer too", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    await place.pull("one");
    const directory = `${sandbox.directory}/a b\n:,\\x`;
    mkdirSync(directory);

    const { stdout, stderr } = await place.bunker(["image", "mount", place.name("one"), directory]);
    const missing = await place.refusal(["image", "mount", place.name("one"), `${directory}/no`]);

    expect({ stdout, stderr }).toEqual({ stdout: `${directory}\n`, stderr: "" });
    expect(readFileSync(`${directory}/only`, "utf8")).toBe("1");
    expect(missing.message).toEndWith("there is no such directory");
    const unmounted = await place.bunker(["image", "unmount", directory]);
    expect(unmounted).toMatchObject({ exitCode: 0, stdout: `${one.configDigest}\n`, stderr: "" });
    expect(readdirSync(directory)).toEqual([]);
  });

  kernelTest("keeps the image from rmi and prune until it is unmounted", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    await place.pull("app");
    const path = (await place.bunker(["image", "mount", place.name("app")])).stdout.trim();

    const refusal = await place.refusal(["rmi", place.name("app")]);
    await place.bunker(["image", "prune", "-af"]);
    await place.bunker(["system", "prune", "-af"]);

    expect(refusal).toMatchObject({
      exitCode: 1,
      message: `Cannot remove image "${place.name("app")}:latest": it is mounted at "${path}"`,
      hints: [`Unmount it with bunker image unmount ${path}`],
    });
    expect(readFileSync(`${path}/su`, "utf8")).toBe("su");
    expect((await place.bunker(["image", "umount", place.name("app")])).exitCode).toBe(0);
    expect(existsSync(path)).toBeFalse();
    expect((await place.bunker(["rmi", place.name("app")])).exitCode).toBe(0);
    expect(readdirSync(`${sandbox.root}/l`)).toEqual([]);
  });

  kernelTest(
    "keeps the image while nobody can tell whether it is mounted",
    [...PULL_NEEDS, "program strace"],
    async (sandbox) => {
      await using place = await mounted(sandbox);
      await place.pull("app");
      const path = (await place.bunker(["image", "mount", place.name("app")])).stdout.trim();
      // The first look is for what a kill has left.
      const inject = "inject=openat:error=EMFILE:when=2";
      const fault = ["-P", `${sandbox.root}/mounts`, "-e", "trace=openat", "-e", inject];
      const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", ...fault];

      const refusals = [
        await place.refusal(["image", "unmount", path], { wrapper }),
        await place.refusal(["rmi", place.name("app")], { wrapper }),
        await place.refusal(["image", "prune", "-af"], { wrapper }),
        await place.refusal(["system", "prune", "-af"], { wrapper }),
      ];

      const message = `Cannot use data root "${sandbox.root}": too many files are open`;
      expect(refusals.map((refusal) => refusal.message)).toEqual(refusals.map(() => message));
      expect(readFileSync(`${path}/su`, "utf8")).toBe("su");
      expect(await place.bunker(["image", "unmount", path])).toMatchObject({ exitCode: 0, stderr: "" });
    },
  );

  kernelTest(
    "comes back to a directory that the disk did not let go of",
    [...PULL_NEEDS, "program strace"],
    async (sandbox) => {
      await using place = await mounted(sandbox);
      await place.pull("app");
      const path = (await place.bunker(["image", "mount", place.name("app")])).stdout.trim();
      const fault = ["-e", "trace=rmdir", "-e", "inject=rmdir:error=EIO"];
      const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", ...fault];

      const refusal = await place.refusal(["image", "unmount", path], { wrapper });
      const again = await place.bunker(["image", "unmount", "--all"]);

      expect(refusal.message).toBe(`Cannot use data root "${sandbox.root}": the disk or device fails`);
      expect(again).toMatchObject({ exitCode: 0, stderr: "" });
      expect(readdirSync(`${sandbox.root}/mounts`)).toEqual(["empty"]);
    },
  );

  kernelTest("keeps the layers of an image that has lost its name", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    for (const name of ["app", "one"]) await place.pull(name);
    const path = (await place.bunker(["image", "mount", place.name("app")])).stdout.trim();

    await place.bunker(["tag", place.name("one"), place.name("app")]);
    await place.bunker(["image", "prune", "-f"]);

    expect(readFileSync(`${path}/su`, "utf8")).toBe("su");
    const check = await place.bunker(["system", "check"]);
    expect(check.stdout).toEndWith("no fault\n");
  });

  kernelTest("forgets a mount that is gone, as after a restart", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    await place.pull("app");
    const path = (await place.bunker(["image", "mount", place.name("app")])).stdout.trim();

    Bun.spawnSync(["umount", path]);

    expect((await place.bunker(["image", "mount"])).stdout).toBe("");
    expect(await place.bunker(["rmi", place.name("app")])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readdirSync(`${sandbox.root}/mounts`)).toEqual(["empty"]);
  });

  kernelTest("does not unmount what a program is in, and says so", PULL_NEEDS, async (sandbox) => {
    await using place = await mounted(sandbox);
    await place.pull("app");
    const path = (await place.bunker(["image", "mount", place.name("app")])).stdout.trim();
    await using child = Bun.spawn(["sleep", "60"], { cwd: path });

    const busy = await place.refusal(["image", "unmount", place.name("app")]);
    const unknown = await place.refusal(["image", "unmount", "/nowhere"]);
    const none = await place.bunker(["image", "unmount"]);

    expect(busy).toMatchObject({ exitCode: 1, message: `Cannot unmount "${path}": a program is in it` });
    expect(unknown).toMatchObject({
      message: 'Cannot unmount "/nowhere": no image is mounted there',
      hints: ["See what is mounted with bunker image mount"],
    });
    expect(none.exitCode).toBe(1);
    expect(readFileSync(`${path}/su`, "utf8")).toBe("su");
    child.kill();
    await child.exited;
    expect((await place.bunker(["image", "unmount", "--all"])).stdout).toBe(`${app.configDigest}\n`);
  });
});

/** A place whose mounts are gone when it is. */
async function mounted(sandbox: Sandbox): Promise<PullPlace> {
  const place = new PullPlace(sandbox, images);
  const dispose = place[Symbol.asyncDispose].bind(place);
  return Object.assign(place, {
    async [Symbol.asyncDispose]() {
      await place.bunker(["image", "unmount", "--all"]);
      await dispose();
    },
  });
}

const optionsOf = (path: string): string | undefined =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .find((fields) => fields[4] === path)?.[5];
