/**
 * checkpoint and restore through the criu that is installed. It needs a kernel that it knows: a criu of 2022 gives up on
 * one of 2026, so that these tests run in the virtual machine above all.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { O_CLOEXEC } from "../../../src/linux/abi/fcntl.ts";
import { call } from "../../../src/linux/call.ts";
import { type Bundle, Runtime } from "../../helpers/oci_runtime.ts";
import { titleOf, whyMissing } from "../../helpers/requires.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

const COUNTER = "i=0; while :; do i=$((i+1)); echo $i > /srv/count; sleep 0.1; done";
const TIMEOUT_MS = 60_000;
const PAUSE_MS = 20;

describe("checkpoint", () => {
  checkpointTest("ends a container, and restore lets it go on where it was", async (runtime) => {
    const bundle = await runtime.bundle({
      sh: COUNTER,
      linux: { maskedPaths: ["/proc/kcore", "/proc/acpi"] },
    });
    using pipes = new Pipes();
    expect(await pipes.run(runtime.words("run", "--detach", "--bundle", bundle.directory, bundle.id))).toBe(
      0,
    );
    await counts(bundle, 3);

    const dumped = await runtime.command(
      "checkpoint",
      "--image-path",
      `${runtime.directory}/images`,
      bundle.id,
    );
    expect([dumped.exitCode, dumped.stderr]).toEqual([0, ""]);
    expect(await runtime.findState(bundle.id)).toBeUndefined();
    const before = countOf(bundle);

    const place = ["--bundle", bundle.directory, "--image-path", `${runtime.directory}/images`];
    const pidFile = `${runtime.directory}/pid`;
    const words = runtime.words("restore", "--detach", "--pid-file", pidFile, ...place, bundle.id);
    expect(await pipes.run(words)).toBe(0);
    const state = await runtime.findState(bundle.id);
    expect([state?.status, state?.pid]).toEqual(["running", Number(readFileSync(pidFile, "utf8"))]);
    await counts(bundle, before + 3);
    await end(runtime, bundle);
  });

  checkpointTest("lets the container run on when asked to", async (runtime) => {
    const bundle = await runtime.bundle({ sh: COUNTER });
    using pipes = new Pipes();
    await pipes.run(runtime.words("run", "--detach", "--bundle", bundle.directory, bundle.id));
    await counts(bundle, 1);
    const images = `${runtime.directory}/images`;

    const { exitCode } = await runtime.command(
      "checkpoint",
      "--leave-running",
      "--image-path",
      images,
      bundle.id,
    );

    expect(exitCode).toBe(0);
    expect(readdirSync(images)).toContain("descriptors.json");
    expect((await runtime.findState(bundle.id))?.status).toBe("running");
    await counts(bundle, countOf(bundle) + 2);
    await end(runtime, bundle);
  });

  checkpointTest("names the log when criu fails, and leaves nothing of a restore", async (runtime) => {
    const bundle = await runtime.bundle({ sh: COUNTER });
    const images = `${runtime.directory}/images`;
    mkdirSync(images);
    await Bun.write(`${images}/descriptors.json`, "[]");

    const words = ["restore", "--bundle", bundle.directory, "--image-path", images, bundle.id];
    const { exitCode, stderr } = await runtime.command(...words);

    expect(exitCode).toBe(1);
    expect(stderr).toStartWith("criu restore has failed: ");
    expect(stderr).toContain(`Read "${images}/restore.log"`);
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });
});

type Body = (runtime: Runtime) => Promise<void>;

function checkpointTest(title: string, body: Body): void {
  const reason = whyMissing(["root", "the executable", "program busybox", "program criu"]) ?? whyNotCriu();
  test.skipIf(reason !== undefined)(titleOf(title, reason), () => runIn(body), TIMEOUT_MS);
}

/** criu tries what it needs of the kernel. */
function whyNotCriu(): string | undefined {
  const { exitCode } = Bun.spawnSync(["criu", "check"], { stdio: ["ignore", "ignore", "ignore"] });
  return exitCode === 0 ? undefined : "needs a kernel that criu knows";
}

async function runIn(body: Body): Promise<void> {
  const sandbox = new Sandbox();
  const runtime = new Runtime("bunker", sandbox);
  try {
    await body(runtime);
  } catch (error) {
    // What the test itself says is to be read first.
    console.error(runtime.messages());
    throw error;
  } finally {
    await runtime[Symbol.asyncDispose]();
  }
  await sandbox[Symbol.asyncDispose]();
}

/** Deletes the container, whose process is a child of this one by now, a subreaper. */
async function end(runtime: Runtime, { id }: Bundle): Promise<void> {
  const pid = (await runtime.findState(id))?.pid ?? 0;
  expect(await runtime.command("delete", "--force", id)).toMatchObject({ exitCode: 0 });
  call("wait4", pid, null, 0, null);
}

const countOf = ({ root }: Bundle): number =>
  existsSync(`${root}/srv/count`) ? Number(readFileSync(`${root}/srv/count`, "utf8")) : 0;

/** Waits until the container has counted to `least`. */
async function counts(bundle: Bundle, least: number): Promise<void> {
  for (const end = Date.now() + TIMEOUT_MS / 4; countOf(bundle) < least; await Bun.sleep(PAUSE_MS)) {
    if (Date.now() > end) throw new Error(`counted to ${countOf(bundle)}, not to ${least}`);
  }
}

/** Streams of a container that criu can give back: pipes, which Bun's own are not. */
class Pipes implements Disposable {
  readonly #fds = [0, 1, 2].map(() => makePipe());

  async run(words: readonly string[]): Promise<number> {
    const [stdin, stdout, stderr] = this.#fds as [number[], number[], number[]];
    const stdio = [stdin[0], stdout[1], stderr[1]] as [number, number, number];
    return Bun.spawn([...words], { stdio }).exited;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds.flat()) call("close", fd);
  }
}

function makePipe(): number[] {
  const fds = new Int32Array(2);
  call("pipe2", new Uint8Array(fds.buffer), O_CLOEXEC);
  return [...fds];
}
