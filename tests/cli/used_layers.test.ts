/** What a running container uses is neither replaced nor removed, whatever the store has lost of it. */
import { describe, expect } from "bun:test";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { buildImage } from "../helpers/image_builder.ts";
import { PullPlace } from "../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { App, baseLayer, RUN_NEEDS, type Running } from "../kernel/run/app.ts";

const NEEDS = [...RUN_NEEDS, "the executable"] as const;
const SCRIPT = "echo up; read line; cat /etc/passwd; ls /bin/busybox";
/** Its last two lines, when nothing of the image is gone. */
const WHOLE = /:\/bin\/sh\nuser:.*\nother:.*\n\/bin\/busybox\n$/;

describe("a layer of a running container whose record is lost", () => {
  kernelTest(
    "is not replaced by a pull, which succeeds when the container has ended",
    NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox, { layers: "directories" });
      await using place = new PullPlace(sandbox, { "other:latest": imageAbove() });
      place.keepDirectories();
      await using running = await startIn(app);
      const before = loseRecords(sandbox);

      const refused = await place.refusal(["pull", "-q", place.name("other")]);
      const during = inodesIn(sandbox);
      const rest = await endOf(running);
      const pulled = await place.bunker(["pull", "-q", place.name("other")]);

      expect(refused.exitCode).not.toBe(0);
      expect(refused.because.join("\n")).toMatch(
        /Cannot replace layer "l\/d[0-9a-f]{24}": the running container [0-9a-f]{12} uses it/,
      );
      expect(refused.hints).toEqual([
        "Wait until that container has ended, or end it, or mend its record with bunker system check --repair",
      ]);
      expect(during).toEqual(before);
      expect(rest).toMatch(WHOLE);
      expect(pulled).toMatchObject({ exitCode: 0, stderr: "" });
      expect(await place.bunker(["system", "check", "--full"])).toMatchObject({ exitCode: 0 });
    },
  );

  kernelTest("is not replaced by load", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { layers: "directories" });
    await using place = new PullPlace(sandbox, {});
    place.keepDirectories();
    const archive = `${sandbox.directory}/app.tar`;
    await place.bunker(["save", "-o", archive, app.reference]);
    await using running = await startIn(app);
    const before = loseRecords(sandbox);

    const refused = await place.refusal(["load", "-q", "-i", archive]);

    expect(refused.because.join("\n")).toContain("Cannot replace layer ");
    expect(inodesIn(sandbox)).toEqual(before);
    expect(await endOf(running)).toMatch(WHOLE);
    expect(await place.bunker(["load", "-q", "-i", archive])).toMatchObject({ exitCode: 0 });
  });

  kernelTest("is not replaced by a commit of that container", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { layers: "directories" });
    await using place = new PullPlace(sandbox, {});
    place.keepDirectories();
    await using running = await startIn(app);
    const before = loseRecords(sandbox);

    const refused = await place.refusal(["commit", "box", "new"]);
    const repaired = await place.bunker(["system", "check", "--repair"]);
    const committed = await place.bunker(["commit", "box", "new"]);

    expect(refused.because.join("\n")).toContain("Cannot replace layer ");
    expect(repaired.exitCode).toBe(0);
    expect(committed).toMatchObject({ exitCode: 0, stderr: "" });
    expect(inodesIn(sandbox)).toMatchObject(before);
    expect(await endOf(running)).toMatch(WHOLE);
  });

  kernelTest("gets its record back from system check --repair, and stays", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { layers: "directories" });
    await using place = new PullPlace(sandbox, {});
    await using running = await startIn(app);
    const before = loseRecords(sandbox);

    const repaired = await place.bunker(["system", "check", "--repair"]);

    expect(repaired).toMatchObject({ exitCode: 0, stderr: "" });
    expect(inodesIn(sandbox)).toEqual(before);
    expect(await endOf(running)).toMatch(WHOLE);
    expect(await place.bunker(["system", "check", "--full"])).toMatchObject({ exitCode: 0 });
    expect((await app.run([], ["cat", "/etc/passwd"])).exitCode).toBe(0);
  });

  kernelTest("stays when it was changed, too, and system check says so", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { layers: "directories" });
    await using place = new PullPlace(sandbox, {});
    await using running = await startIn(app);
    const before = loseRecords(sandbox);
    for (const name of Object.keys(before)) writeFileSync(`${sandbox.root}/l/${name}/more`, "");

    const repaired = await place.bunker(["system", "check", "--repair"]);

    expect(repaired.exitCode).toBe(1);
    expect(repaired.stdout).toMatch(/^In use, left as it is: l\/d[0-9a-f]{24}$/m);
    expect(inodesIn(sandbox)).toEqual(before);
    expect(await endOf(running)).toMatch(WHOLE);
  });
});

/** Another image that shares the layer. */
const imageAbove = () => buildImage({ layers: [baseLayer(), { entries: [{ name: "other" }] }] });

async function startIn(app: App): Promise<Running> {
  const running = app.start(["-i", "--name=box"], ["sh", "-c", SCRIPT]);
  await running.output("up");
  return running;
}

/** @returns the layers that have no record from now on, with the inodes of their directories */
function loseRecords(sandbox: Sandbox): Record<string, number> {
  for (const name of readdirSync(`${sandbox.root}/layers`)) rmSync(`${sandbox.root}/layers/${name}`);
  return inodesIn(sandbox);
}

const inodesIn = ({ root }: Sandbox): Record<string, number> =>
  Object.fromEntries(readdirSync(`${root}/l`).map((name) => [name, statSync(`${root}/l/${name}`).ino]));

/** Lets the container read its image. @returns what it has written */
async function endOf(running: Running): Promise<string> {
  running.type("on\n");
  const rest = await running.rest();
  await running.exited;
  return rest;
}
