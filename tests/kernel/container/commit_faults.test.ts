/** Commits that are in the way of something: of a container that goes on, of a full disk, of a SIGKILL. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { numbers } from "../../../src/linux/abi/numbers.ts";
import { architecture } from "../../../src/linux/machine.ts";
import { Box, bunkerFrom, spawnBunker } from "../../helpers/box.ts";
import { refusalOf } from "../../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

/** A hole that takes minutes to be read, and no room: whoever is to be met at it is. */
const ENDLESS = "dd of=/large bs=1M count=0 seek=60000 2>/dev/null";
/** A hole that takes seconds. */
const LONG = "dd of=/large bs=1M count=0 seek=2000 2>/dev/null";
/** So much that something happens while it is read. */
const LARGE = "dd if=/dev/urandom of=/large bs=1M count=24 2>/dev/null";

/** Whether the container's processes are stopped. */
function isFrozen(id: string): boolean {
  const files = [`freezer/bunker-${id}/freezer.state`, `bunker-${id}/cgroup.freeze`];
  const file = files.map((name) => `/sys/fs/cgroup/${name}`).find(existsSync);
  return file !== undefined && /^(?:FROZEN|1)$/.test(readFileSync(file, "utf8").trim());
}

/** Whether the child of a process, if it has one, is in mkdirat(2). */
function childMakesDirectory(pid: number): boolean {
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  if (child === "") return false;
  return (
    Number.parseInt(readFileSync(`/proc/${child}/syscall`, "utf8"), 10) === numbers.mkdirat[architecture]
  );
}

/** Looks until it holds. @throws {Error} when it does not within half a minute */
async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await Bun.sleep(1);
  }
}

/** Waits until a commit reads the large file: the container has been stopped by then, unless it is not to be. */
const untilReading = (commit: Bun.Subprocess): Promise<void> =>
  until("it reads", () => linksOf(`/proc/${commit.pid}/fd`).some((link) => link.endsWith("/upper/large")));

function linksOf(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    try {
      return [readlinkSync(`${directory}/${name}`)];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
}

const images = async (sandbox: Sandbox): Promise<string> =>
  (await bunkerFrom(sandbox, ["images", "--json"])).stdout;

describe("bunker commit", () => {
  kernelTest("stops the container while it reads, and lets it go on", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    // One of them is read before the large file, the other behind it.
    const box = await Box.start(app, `${LARGE}\n(while :; do echo >> /first; echo >> /second; done) &`);

    const { exitCode } = await bunkerFrom(sandbox, ["commit", "box", "new"]);

    expect(exitCode).toBe(0);
    expect(isFrozen(box.id(sandbox))).toBeFalse();
    expect(await box.do("true", "still here")).toContain("still here");
    await box.end();
    const [first = 0, second = 0] = (await app.as("new").sh("wc -l < /first; wc -l < /second"))
      .trim()
      .split("\n")
      .map(Number);
    expect([0, 1]).toContain(first - second);
  });

  kernelTest(
    "leaves no group behind when the container ends before it is stopped",
    [...RUN_NEEDS, "cgroup v1", "program strace"],
    async (sandbox) => {
      const app = await App.install(sandbox);
      const box = await Box.start(app, "echo 1 > /srv");
      const group = `/sys/fs/cgroup/freezer/bunker-${box.id(sandbox)}`;
      const hold = ["-e", "trace=mkdirat", "-e", "inject=mkdirat:delay_enter=2000000", "-P", group];

      const commit = spawnBunker(
        app,
        ["commit", "box", "new"],
        ["strace", "-f", "-qq", "-o", "/dev/null", ...hold],
      );
      await until("the group is about to be made", () => childMakesDirectory(commit.pid));
      await box.end();
      await commit.exited;

      expect(existsSync(group)).toBeFalse();
    },
  );

  kernelTest("says so when a layer of the image was taken from the store", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(app, "echo 1 > /srv");
    for (const name of readdirSync(`${sandbox.root}/layers`)) rmSync(`${sandbox.root}/layers/${name}`);
    for (const name of readdirSync(`${sandbox.root}/blobs/sha256`)) {
      const path = `${sandbox.root}/blobs/sha256/${name}`;
      if (readFileSync(path)[0] !== 0x7b) rmSync(path);
    }

    const failed = refusalOf(await bunkerFrom(sandbox, ["commit", "box", "new"]));
    await box.end();

    expect(failed).toMatchObject({
      exitCode: 125,
      message: expect.stringContaining("Cannot commit container"),
      because: [expect.stringContaining("Cannot find a layer of the image below")],
      hints: [expect.stringContaining("Pull that image again")],
    });
  });

  kernelTest("reads it while it runs when told to", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(app, ENDLESS);

    for (const flag of ["--no-pause", "--pause=false"]) {
      const commit = spawnBunker(app, ["commit", flag, "box", "new"]);
      await untilReading(commit);
      expect(isFrozen(box.id(sandbox))).toBeFalse();
      expect(await box.do("true", `runs with ${flag}`)).toContain(flag);
      commit.kill("SIGKILL");
      await commit.exited;
    }
    await box.do("rm /large", "removed");

    expect(await bunkerFrom(sandbox, ["commit", "--no-pause", "box", "new"])).toMatchObject({ exitCode: 0 });
    await box.end();
  });

  kernelTest(
    "leaves the container running and the store clean when it is killed",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const box = await Box.start(app, ENDLESS);
      const id = box.id(sandbox);
      const before = await images(sandbox);

      const commit = spawnBunker(app, ["commit", "box", "new"]);
      await untilReading(commit);
      expect(isFrozen(id)).toBeTrue();
      commit.kill("SIGKILL");
      await commit.exited;
      await until("the container goes on", () => !isFrozen(id));

      expect(await box.do("rm /large", "still here")).toContain("still here");
      expect(await images(sandbox)).toBe(before);
      const again = await bunkerFrom(sandbox, ["commit", "box", "new"]);
      expect(again.exitCode).toBe(0);
      expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
      await box.end();
    },
  );

  kernelTest("is ended by Ctrl-C, and leaves nothing", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(app, ENDLESS);
    const id = box.id(sandbox);

    const commit = spawnBunker(app, ["commit", "box", "new"]);
    await untilReading(commit);
    expect(isFrozen(id)).toBeTrue();
    commit.kill("SIGINT");

    expect(await commit.exited).toBe(130);
    expect(isFrozen(id)).toBeFalse();
    expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
    await box.end();
  });

  kernelTest("makes no image of a container that ends meanwhile", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(app, LONG);
    const before = await images(sandbox);

    const commit = spawnBunker(app, ["commit", "--no-pause", "box", "new"]);
    await untilReading(commit);
    commit.kill("SIGSTOP");
    await box.end();
    commit.kill("SIGCONT");
    const [exitCode, stderr] = [await commit.exited, await commit.stderr.text()];

    expect(exitCode).toBe(125);
    expect(stderr).toContain("it has ended meanwhile");
    expect(await images(sandbox)).toBe(before);
  });

  kernelTest("lets two that come at once do so one after the other", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(app, LARGE);

    const commits = ["one", "two", "three"].map((name) => spawnBunker(app, ["commit", "box", name]));
    const exitCodes = await Promise.all(commits.map(({ exited }) => exited));

    expect(exitCodes).toEqual([0, 0, 0]);
    expect(isFrozen(box.id(sandbox))).toBeFalse();
    await box.end();
  });

  kernelTest("says that the disk is full, and leaves the store as it was", RUN_NEEDS, async (sandbox) => {
    mkdirSync(sandbox.root);
    await Bun.$`mount -t tmpfs -o size=20m bunker-test ${sandbox.root}`;
    try {
      const app = await App.install(sandbox);
      const box = await Box.start(app, "dd if=/dev/urandom of=/large bs=1M count=6 2>/dev/null");
      const before = await images(sandbox);

      const refusal = refusalOf(await bunkerFrom(sandbox, ["commit", "box", "new"]));

      expect(refusal.message).toMatch(/^Cannot commit container [0-9a-f]{12}: the disk is full$/);
      expect(await images(sandbox)).toBe(before);
      expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
      expect(await box.do("true", "still here")).toContain("still here");
      await box.end();
    } finally {
      await Bun.$`umount ${sandbox.root}`;
    }
  });
});
