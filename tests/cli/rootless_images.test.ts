/** Images of an ordinary user, whose files belong to several ids: saved, removed, loaded again. */
import { describe, expect } from "bun:test";
import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { startDockerRegistry } from "../helpers/docker_registry.ts";
import { testIf } from "../helpers/requires.ts";
import { RANGE, ROOTLESS_NEEDS, sharedPlace, type User } from "../helpers/rootless_place.ts";

/** The slowest of these tests fills a registry and a store. */
const TEST_MS_MAX = 60_000;
const STEP_MS = 10;
/** One that has no process behind it any more would have said so by then. */
const EARLIER_MS = 200;

const place = sharedPlace();

describe("bunker rmi and load as an ordinary user", () => {
  const users: ReadonlyArray<readonly [kind: string, userOf: () => User]> = [
    ["with id ranges", () => place().ranged],
    ["with one id", () => place().single()],
  ];
  for (const [kind, userOf] of users) {
    testIf(ROOTLESS_NEEDS, `removes files of all owners, and brings them back: ${kind}`, async () => {
      const user = userOf();
      const archive = `${user.directory("saved")}/app.tar`;
      await user.bunker(["pull", "-q", place().reference]);
      const saved = await user.bunker(["save", "-o", archive, place().reference]);

      const removed = await user.bunker(["rmi", place().reference]);
      const left = ["l", "layers", "blobs/sha256", "tmp"].map((name) => readdirSync(`${user.root}/${name}`));
      const loaded = await user.bunker(["load", "-i", archive]);

      expect(saved).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
      expect(removed).toMatchObject({ exitCode: 0, stderr: "" });
      expect(removed.stdout).toContain(`Deleted: ${place().image.configDigest}\n`);
      expect(left).toEqual([[], [], [], []]);
      expect(loaded).toMatchObject({ exitCode: 0, stdout: `Loaded image: ${place().reference}:latest\n` });
      const file = `${user.layer("srv/owned")}/srv/owned`;
      expect(statSync(file).uid).toBe(kind === "with one id" ? user.uid : RANGE.start + 999);
      expect(await user.bunker(["system", "check"])).toMatchObject({ exitCode: 0 });
      await user.bunker(["rmi", place().reference]);
      expect(existsSync(file)).toBeFalse();
    });
  }
});

describe("bunker load as an ordinary user", () => {
  testIf(ROOTLESS_NEEDS, "ends without a word at Ctrl-C, whichever process hears of it first", async () => {
    const user = place().single();
    const load = Bun.spawn([...user.prefix, "load"], { stdio: ["pipe", "pipe", "pipe"] });
    const begun = (): boolean => existsSync(`${user.root}/tmp`) && readdirSync(`${user.root}/tmp`).length > 1;
    while (!begun()) await Bun.sleep(STEP_MS);
    const children = readFileSync(`/proc/${load.pid}/task/${load.pid}/children`, "utf8");

    process.kill(Number(children.trim()), "SIGINT");
    await Bun.sleep(EARLIER_MS);
    load.kill("SIGINT");

    expect([await load.exited, await load.stdout.text(), await load.stderr.text()]).toEqual([130, "", ""]);
  });
});

describe("bunker image ls and which as an ordinary user", () => {
  testIf(
    ROOTLESS_NEEDS,
    "show the owners that the image gives, and what only its owner may read",
    async () => {
      const user = place().ranged;
      await user.bunker(["pull", "-q", place().reference]);

      const files = await user.bunker(["image", "ls", "-l", place().reference, "/srv"]);
      const trace = await user.bunker(["image", "which", "--json", place().reference, "/srv/secret"]);
      const missing = await user.bunker(["image", "ls", place().reference, "/nothing"]);
      const check = await user.bunker(["system", "check", "--full"]);
      const mount = await user.bunker(["image", "mount", place().reference]);
      await user.bunker(["rmi", place().reference]);

      expect(check).toMatchObject({ exitCode: 0, stderr: "" });
      expect(mount.stderr).toContain("only root mounts where other programs see it\nhint: Look at it with ");
      expect(files.stderr).toBe("");
      expect(files.stdout).toMatch(/^-rw-r--r-- 1000 1000 1 \S+ \S+ owned$/m);
      expect(JSON.parse(trace.stdout)).toMatchObject([{ state: "shown", uid: 1000, mode: 0o600, layer: 2 }]);
      expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
      expect(missing.stderr).toStartWith('bunker: Cannot find "/nothing" in the image: ');
    },
  );
});

describe("bunker copy and pull -a as an ordinary user", () => {
  testIf(
    [...ROOTLESS_NEEDS, "program docker-registry", "program skopeo"],
    "copy past the store, and pull all tags into it",
    async () => {
      await using registry = await startDockerRegistry();
      const user = place().ranged;
      const layout = `${user.directory("copies")}/layout`;
      const name = `${registry.host}/app`;

      const out = await user.bunker(["copy", "-q", place().reference, `oci:${layout}:app`]);
      const back = await user.bunker(["copy", "-q", `oci:${layout}:app`, `${name}:1`]);
      const again = await user.bunker(["copy", "-q", `${name}:1`, `${name}:2`]);
      const pulled = await user.bunker(["pull", "-q", "-a", name]);
      const { uid } = statSync(`${layout}/index.json`);
      await user.bunker(["rmi", `${name}:1`, `${name}:2`]);

      for (const { stderr } of [out, back, again, pulled]) expect(stderr).toBe("");
      expect(uid).toBe(user.uid);
      // In an order of the registry's own.
      expect(pulled.stdout.split("\n").sort()).toEqual(["", `${name}:1`, `${name}:2`]);
    },
    TEST_MS_MAX,
  );
});

describe("the library in a program of an ordinary user", () => {
  testIf(ROOTLESS_NEEDS, "pulls with progress, and fails with the error itself", async () => {
    const user = place().ranged;
    const directory = user.directory("library");
    cpSync(join(import.meta.dir, "../../src"), `${directory}/src`, { recursive: true });
    copyFileSync(join(import.meta.dir, "../../package.json"), `${directory}/package.json`);
    copyFileSync(process.execPath, `${directory}/bun`);
    const script = `
      import { pull } from "./src/engine/api.ts";
      const pulling = pull("${place().reference}");
      const states = new Set();
      for await (const { state } of pulling) states.add(state);
      const { status } = await pulling;
      const { code, message } = await pull("${place().reference}:none").catch((error) => error);
      console.log(JSON.stringify({ states: [...states], status, code, message }));
    `;
    await Bun.write(`${directory}/app.ts`, script);

    const { stdout, stderr } = await user.command([`${directory}/bun`, `${directory}/app.ts`]);
    await user.bunker(["rmi", place().reference]);

    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      states: expect.arrayContaining(["done"]),
      status: "downloaded",
      code: "IMAGE_NOT_FOUND",
      message: expect.stringContaining(`${place().reference}:none`),
    });
  });
});
