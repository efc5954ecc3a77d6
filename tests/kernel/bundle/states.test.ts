/** States that are seldom: paused before the start, a state directory that somebody has spoiled, two at one id. */
import { describe, expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { bundleTest } from "../../helpers/runtime_test.ts";

const SLEEP = { sh: "exec sleep 60" };

describe("a container that is paused before its start", () => {
  bundleTest("is paused, takes no start, and is created once more after resume", async (runtime) => {
    const container = await runtime.create(SLEEP);
    await runtime.command("pause", container.id);

    const paused = await container.status();
    const start = await container.tryStart();
    await runtime.command("resume", container.id);

    expect([paused, start.exitCode, await container.status()]).toEqual(["paused", 1, "created"]);
    expect(start.messages).toContain("cannot start a container in the paused state");
    await container.start();
    expect(await container.status()).toBe("running");
  });
});

describe("a directory below the root", () => {
  for (const [what, name, content] of [
    ["whose state is cut short", "state.json", '{"pid": 1'],
    ["whose state lacks what every verb needs", "state.json", "{}"],
    ["in which a killed engine has left its program", "program", "x"],
  ] as const) {
    bundleTest(`${what} goes by delete --force`, async (runtime) => {
      const { id } = await runtime.bundle();
      const root = `${runtime.root}/${id}`;
      mkdirSync(root, { recursive: true });
      writeFileSync(`${root}/${name}`, content);

      expect((await runtime.command("list")).exitCode).toBe(0);
      expect(await runtime.command("delete", "--force", id)).toMatchObject({ exitCode: 0, stderr: "" });
      expect((await runtime.command("state", id)).stderr).toBe("container does not exist\n");
    });
  }
});

describe("an id that several processes create and delete", () => {
  bundleTest("is one container at a time, and none in the end", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "true" });
    const loop = `for i in $(seq 8); do "$@" >/dev/null 2>&1; done`;
    const words = [
      ["run", "--bundle", bundle.directory, bundle.id],
      ["create", "--bundle", bundle.directory, bundle.id],
      ["start", bundle.id],
      ["delete", "--force", bundle.id],
    ];

    const loops = words.map((command) =>
      Bun.spawn(["sh", "-c", loop, "sh", ...runtime.words(...command)], {
        stdio: ["ignore", "ignore", "ignore"],
        timeout: 60_000,
      }),
    );
    const codes = await Promise.all(loops.map((child) => child.exited));
    await runtime.command("delete", "--force", bundle.id);

    expect(codes.every((code) => code === 0 || code === 1)).toBe(true);
    expect(await runtime.outputOf(bundle)).toBe("");
    expect(await runtime.findState(bundle.id)).toBeUndefined();
  });
});
