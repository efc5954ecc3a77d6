/**
 * The challenge's stages as its users run them: the image of the Dockerfile under a real Docker Engine, with
 * `--cap-add=SYS_ADMIN` and nothing else; and once more where every mount is refused, as AppArmor's profile for Docker does on
 * Debian and Ubuntu.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addBun, writeBase } from "../helpers/base_image.ts";
import { type DockerEngine, startDockerEngine } from "../helpers/docker_engine.ts";
import { compileExplorer } from "../helpers/explorer.ts";
import type { FakeRegistry } from "../helpers/fake_registry.ts";
import { serveHub, writeMirrorConfig } from "../helpers/hub.ts";
import { executable, type Need, titleOf, whyMissing } from "../helpers/requires.ts";
import { defineStages, randomNumber, STAGE_MS_MAX } from "./stages.ts";

const REPOSITORY = join(import.meta.dir, "../..");
const NEEDS: readonly Need[] = ["docker engine", "program gcc", "program busybox"];
const missing = whyMissing(NEEDS);

/** Time for the engine's start and two builds of images. */
const PREPARE_MS_MAX = 180_000;

/** Runs of stages 1 to 5, docker's own start of a container included, in milliseconds. */
const RUN_MS_MAX = 5000;

const SUM = ["sha256sum", "/usr/local/bin/bunker"];
const EXPLORER = "/usr/local/bin/explorer";
const hiddenDirectory = `/tmp/${randomNumber()}`;

const directory = mkdtempSync(`${tmpdir()}/bunker-stages-`);
let hub: FakeRegistry | undefined;
let docker: DockerEngine | undefined;

beforeAll(async () => {
  if (missing !== undefined) return;
  docker = await startDockerEngine();
  await buildImage(docker);
  hub = serveHub();
  await addContent(docker, hub);
}, PREPARE_MS_MAX);

afterAll(async () => {
  await docker?.[Symbol.asyncDispose]();
  await hub?.stop();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** What AppArmor answers to a mount, from seccomp: mount(2) fails with EACCES, unmounting is allowed. */
const MOUNTS_REFUSED = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [
    { names: ["mount", "move_mount", "mount_setattr"], action: "SCMP_ACT_ERRNO", errnoRet: 13 },
    { names: ["pivot_root"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
  ],
};

describe.each([
  ["docker run --cap-add=SYS_ADMIN", []],
  [
    "docker run --cap-add=SYS_ADMIN where mounts are refused",
    ["--security-opt", `seccomp=${directory}/seccomp.json`],
  ],
])("%s", (_, security) => {
  const run = (network: string, args: readonly string[]) => {
    const options = ["--rm", "--cap-add=SYS_ADMIN", `--network=${network}`, ...security];
    return engine().run(["run", ...options, "bunker-stages", ...args]);
  };
  const stage = {
    explorer: EXPLORER,
    hiddenDirectory,
    offline: (args: readonly string[]) => run("none", args),
    // The test's registry is on this machine's loopback.
    online: (args: readonly string[]) => run("host", args),
  };

  defineStages(
    (name, body) =>
      test.skipIf(missing !== undefined)(titleOf(name, missing), () => body(stage), STAGE_MS_MAX * 2),
    RUN_MS_MAX,
  );

  test.skipIf(missing !== undefined)(
    titleOf("has the directory that stage 4 must not show", missing),
    async () => {
      const result = await engine().run([
        "run",
        "--rm",
        "--entrypoint",
        EXPLORER,
        "bunker-stages",
        "ls",
        hiddenDirectory,
      ]);

      expect(result).toMatchObject({ stdout: "", exitCode: 0 });
    },
  );
});

describe("bunker info where mounts are refused", () => {
  test.skipIf(missing !== undefined)(titleOf("says that isolation is minimal", missing), async () => {
    const security = ["--security-opt", `seccomp=${directory}/seccomp.json`];

    const result = await engine().run(["run", "--rm", "--cap-add=SYS_ADMIN", ...security, "bunker", "info"]);

    expect(result.stdout).toMatch(/grade: minimal\b/);
  });
});

describe("the Dockerfile", () => {
  const reason = missing ?? whyMissing(["the executable"]);

  test.skipIf(reason !== undefined)(
    titleOf("takes the context's dist/bunker with PREBUILT=1", reason),
    async () => {
      const bases = { BUILD_BASE: "final-base", FINAL_BASE: "final-base" };
      await engine().build("bunker-prebuilt", REPOSITORY, { ...bases, PREBUILT: "1" });

      const result = await engine().run([
        "run",
        "--rm",
        "--entrypoint=/bin/busybox",
        "bunker-prebuilt",
        ...SUM,
      ]);

      expect(result.stdout.split(" ")[0]).toBe(sha256Hex(executable));
    },
    PREPARE_MS_MAX,
  );
});

function sha256Hex(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}

function engine(): DockerEngine {
  if (docker === undefined) throw new Error("dockerd was not started");
  return docker;
}

/** The image of the Dockerfile, compiled in it, on bases from this machine's files. */
async function buildImage(given: DockerEngine): Promise<void> {
  writeBase(`${directory}/final`, process.execPath);
  writeBase(`${directory}/build`, process.execPath);
  addBun(`${directory}/build`, REPOSITORY);
  await given.import("final-base", `${directory}/final`);
  await given.import("build-base", `${directory}/build`);
  await given.build("bunker", REPOSITORY, { BUILD_BASE: "build-base", FINAL_BASE: "final-base" });
}

/** What a user of the challenge has beside bunker: the program to run, a directory of the host, and a way to the registry. */
async function addContent(given: DockerEngine, registry: FakeRegistry): Promise<void> {
  const context = `${directory}/context`;
  mkdirSync(`${context}/root${hiddenDirectory}`, { recursive: true });
  mkdirSync(`${context}/root/usr/local/bin`, { recursive: true });
  mkdirSync(`${context}/root/etc/bunker`, { recursive: true });
  await compileExplorer(`${directory}/explorer`);
  copyFileSync(`${directory}/explorer`, `${context}/root${EXPLORER}`);
  writeMirrorConfig(`${context}/root/etc/bunker/config.json`, registry);
  writeFileSync(`${context}/Dockerfile`, "FROM bunker\nCOPY root/ /\n");
  writeFileSync(`${directory}/seccomp.json`, JSON.stringify(MOUNTS_REFUSED));
  await given.build("bunker-stages", context);
}
