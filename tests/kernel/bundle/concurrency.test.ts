/** Many containers at once, and many verbs at one container: who comes first wins, nobody is confused, nothing is left. */
import { describe, expect } from "bun:test";
import { type CommandResult, Runtime } from "../../helpers/oci_runtime.ts";
import type { PipedResult } from "../../helpers/pipes.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox"];
/** As many as take a few seconds on two processors; bench/ has 200. */
const CONTAINERS = 50;
const ROUNDS = 8;
/** Longer than it takes to kill what runs, and less than `delete` waits for its end. */
const HOLD_MS = 3000;
const TEST_MS_MAX = 180_000;

const sleeper = { process: { args: ["/bin/sleep", "1000"] } };

function concurrencyTest(name: string, body: (runtime: Runtime) => Promise<void>): void {
  const run = async (sandbox: Sandbox): Promise<void> => {
    await using runtime = new Runtime("bunker", sandbox);
    await body(runtime);
  };
  kernelTest(name, NEEDS, run, TEST_MS_MAX);
}

const codesOf = (results: readonly { readonly exitCode: number | null }[]): readonly (number | null)[] =>
  results.map(({ exitCode }) => exitCode).sort();

const textOf = (result: PipedResult | CommandResult): string =>
  "messages" in result ? result.messages : result.stderr;

describe("containers", () => {
  concurrencyTest(`are created, started and deleted, ${CONTAINERS} at once`, async (runtime) => {
    const bundles = await Promise.all(Array.from({ length: CONTAINERS }, () => runtime.bundle(sleeper)));

    const containers = await Promise.all(bundles.map((bundle) => runtime.start(bundle)));
    const { stdout } = await runtime.command("list", "--format", "json");
    const deleted = await Promise.all(containers.map((container) => container.delete("--force")));

    const listed = JSON.parse(stdout) as { readonly status: string; readonly pid: number }[];
    expect(listed.map(({ status }) => status)).toEqual(listed.map(() => "running"));
    expect(new Set(listed.map(({ pid }) => pid)).size).toBe(CONTAINERS);
    expect(deleted.map(({ exitCode, stderr }) => `${exitCode}${stderr}`)).toEqual(deleted.map(() => "0"));
    expect((await runtime.command("list", "--quiet")).stdout).toBe("");
  });
});

describe("one container", () => {
  concurrencyTest("is created by exactly one of two", async (runtime) => {
    for (let round = 0; round < ROUNDS; round++) {
      const bundle = await runtime.bundle(sleeper);

      const results = await Promise.all([runtime.tryCreate(bundle), runtime.tryCreate(bundle)]);

      expect(codesOf(results)).toEqual([0, 1]);
      expect(results.map(textOf).join("")).toContain("container with given ID already exists");
      expect((await runtime.findState(bundle.id))?.status).toBe("created");
      expect((await runtime.command("delete", "--force", bundle.id)).exitCode).toBe(0);
    }
  });

  concurrencyTest("is started by exactly one of two", async (runtime) => {
    for (let round = 0; round < ROUNDS; round++) {
      const container = await runtime.create({ sh: "echo started; exec sleep 60" });

      const results = await Promise.all([container.tryStart(), container.tryStart()]);

      expect(codesOf(results)).toEqual([0, 1]);
      expect(results.map(textOf).join("")).toMatch(/cannot start/);
      expect(await container.status()).toBe("running");
      await container.printed("started");
      expect(container.output()).toBe("started\n");
      await container.delete("--force");
    }
  });

  concurrencyTest("is there whole or not at all when delete comes while it is created", async (runtime) => {
    for (let round = 0; round < ROUNDS; round++) {
      const bundle = await runtime.bundle(sleeper);
      const creation = runtime.tryCreate(bundle);
      await Bun.sleep(round * 8);

      const deletion = await runtime.command("delete", "--force", bundle.id);
      const { exitCode } = await creation;

      expect(deletion.exitCode).toBe(0);
      const status = (await runtime.findState(bundle.id))?.status;
      expect(["created", undefined]).toContain(status);
      if (exitCode !== 0) expect(status).toBeUndefined();
      expect((await runtime.command("delete", "--force", bundle.id)).exitCode).toBe(0);
      expect(await runtime.findState(bundle.id)).toBeUndefined();
    }
  });

  concurrencyTest("leaves no process of exec behind when it is deleted meanwhile", async (runtime) => {
    for (let round = 0; round < ROUNDS; round++) {
      const container = await runtime.start(sleeper);
      const execs = [0, 1, 2].map(() => runtime.command("exec", container.id, "/bin/sleep", "30"));
      await Bun.sleep(round * 8);

      const deletion = await container.delete("--force");
      const results = await Promise.all(execs);

      expect([deletion.exitCode, deletion.stderr]).toEqual([0, ""]);
      for (const { exitCode } of results) expect(exitCode).not.toBe(0);
      expect(await runtime.findState(container.id)).toBeUndefined();
    }
  });

  kernelTest(
    "leaves no process of exec behind when it is deleted while that one is started",
    [...NEEDS, "program strace"],
    async (sandbox) => {
      await using runtime = new Runtime("bunker", sandbox);
      const container = await runtime.start(sleeper);
      const pids = async (): Promise<readonly number[]> =>
        JSON.parse((await runtime.command("ps", "--format", "json", container.id)).stdout);
      // The process that joins is held after it has started the one that is to run the command.
      const hold = ["-e", "trace=clone", "-e", `inject=clone:delay_exit=${HOLD_MS * 1000}`];
      const exec = Bun.spawn(
        [
          "strace",
          "-f",
          "-qq",
          "-o",
          "/dev/null",
          ...hold,
          ...runtime.words("exec", container.id, "/bin/sleep", "30"),
        ],
        { stdio: ["ignore", "ignore", "ignore"] },
      );
      while ((await pids()).length < 3 && exec.exitCode === null);

      const deletion = await container.delete("--force");

      expect([deletion.exitCode, deletion.stderr]).toEqual([0, ""]);
      expect(await exec.exited).not.toBe(0);
    },
    TEST_MS_MAX,
  );

  concurrencyTest("cannot be started once it was killed", async (runtime) => {
    for (let round = 0; round < ROUNDS; round++) {
      const container = await runtime.create({ sh: "echo started" });
      await container.kill("KILL");

      const { exitCode, messages } = await container.tryStart();

      expect(exitCode).toBe(1);
      expect(messages).toMatch(/cannot start/);
      expect(container.output()).toBe("");
      expect((await container.delete()).exitCode).toBe(0);
    }
  });

  concurrencyTest("is deleted by two at once without an error that --force forbids", async (runtime) => {
    for (let round = 0; round < ROUNDS; round++) {
      const container = await runtime.start(sleeper);

      const results = await Promise.all([container.delete("--force"), container.delete("--force")]);

      expect(results.map(({ exitCode, stderr }) => `${exitCode}${stderr}`)).toEqual(["0", "0"]);
    }
  });
});
