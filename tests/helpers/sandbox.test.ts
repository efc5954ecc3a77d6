/** The sandbox sees what a test leaves behind: each kind is left on purpose here, and cleaned up afterwards. */
import { describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { runPiped } from "./pipes.ts";
import { testIf } from "./requires.ts";
import { Sandbox } from "./sandbox.ts";

/** Nothing ends by itself in these tests. */
const SETTLE_MS = 50;

describe("Sandbox", () => {
  test("says nothing of a test that leaves nothing", async () => {
    await using sandbox = new Sandbox();

    expect(await sandbox.leftBehind()).toEqual([]);
  });

  test("sees an open descriptor", async () => {
    await using sandbox = new Sandbox();
    const fd = openSync("/etc/hostname", "r");

    const left = await sandbox.leftBehind(SETTLE_MS);
    closeSync(fd);

    expect(left).toContain("descriptors: /etc/hostname");
  });

  test("sees a process whose parent has gone", async () => {
    await using sandbox = new Sandbox();
    const { stdout } = await runPiped(["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"]);

    const left = await sandbox.leftBehind(SETTLE_MS);
    process.kill(Number(stdout), "SIGKILL");

    expect(left).toContain(`processes: ${stdout.trim()} sleep 60`);
  });

  test("sees files of a container", async () => {
    await using sandbox = new Sandbox();
    mkdirSync(`${sandbox.root}/c/0123456789ab`, { recursive: true });

    const left = await sandbox.leftBehind(SETTLE_MS);
    rmdirSync(`${sandbox.root}/c/0123456789ab`);

    expect(left).toContain(`files: ${sandbox.root}/c/0123456789ab`);
  });

  testIf(["root"], "sees a mount", async () => {
    await using sandbox = new Sandbox();
    const target = mkdtempSync(`${tmpdir()}/bunker-mount-`);
    await runPiped(["mount", "-t", "tmpfs", "left", target]);

    const left = await sandbox.leftBehind(SETTLE_MS);
    await runPiped(["umount", target]);
    rmSync(target, { recursive: true });

    expect(left.join("\n")).toContain(`mounts: ${target} (tmpfs left`);
  });

  testIf(["root", "cgroup v1"], "sees a cgroup", async () => {
    await using sandbox = new Sandbox();
    const path = `/sys/fs/cgroup/pids/bunker-sandbox-test-${process.pid}`;
    mkdirSync(path);

    const left = await sandbox.leftBehind(SETTLE_MS);
    rmdirSync(path);

    expect(left).toContain(`cgroups: pids/bunker-sandbox-test-${process.pid}`);
  });

  test("fails the test when it is disposed of with something left", async () => {
    const sandbox = new Sandbox();
    mkdirSync(`${sandbox.state}/left`, { recursive: true });

    const disposed = sandbox[Symbol.asyncDispose]();

    expect(disposed).rejects.toThrow(`files: ${sandbox.state}/left`);
    await disposed.catch(() => undefined);
  });
});

describe("runPiped()", () => {
  test("keeps stdout, stderr and the exit code apart", async () => {
    const result = await runPiped(["sh", "-c", "printf out; printf err >&2; exit 7"]);

    expect(result).toMatchObject({ stdout: "out", stderr: "err", exitCode: 7, signal: null });
  });

  test("gives pipes, and closes stdin", async () => {
    const { stdout } = await runPiped(["sh", "-c", "cat; readlink /proc/self/fd/1 /proc/self/fd/2"]);

    expect(stdout).toMatch(/^pipe:\[\d+\]\npipe:\[\d+\]\n$/);
  });

  test("waits for a process in the background that holds stdout", async () => {
    const { stdout } = await runPiped(["sh", "-c", "(sleep 0.2; echo late) & echo early"]);

    expect(stdout).toBe("early\nlate\n");
  });

  test("throws, with the output so far, when the time is over", async () => {
    const late = runPiped(["sh", "-c", "echo early; exec sleep 60"], { timeoutMs: 2000 });

    expect(late).rejects.toThrow('after 2000 ms: "early\\n", ""');
    await late.catch(() => undefined);
  });

  test("reads one command while many others go on", async () => {
    using stack = new DisposableStack();
    const directory = mkdtempSync(`${tmpdir()}/bunker-piped-`);
    stack.defer(() => rmSync(directory, { recursive: true }));
    const wait = ["sh", "-c", `until [ -e ${directory}/end ]; do sleep 0.05; done; echo ended`];

    const waiting = Array.from({ length: 20 }, () => runPiped(wait));
    const { stdout } = await runPiped(["echo", "now"]);
    writeFileSync(`${directory}/end`, "");

    expect(stdout).toBe("now\n");
    expect((await Promise.all(waiting)).map((each) => each.stdout)).toEqual(Array(20).fill("ended\n"));
  });

  test("names the signal that ended the command", async () => {
    const result = await runPiped(["sh", "-c", "kill -TERM $$"]);

    expect(result).toMatchObject({ exitCode: null, signal: "SIGTERM" });
  });
});
