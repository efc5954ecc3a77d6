/** The library: containers started from a Bun program, which goes on with its own work meanwhile. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import {
  capture,
  commit,
  imageFiles,
  imageHistory,
  images,
  imageTree,
  inspectImage,
  type LibraryContext,
  mountImage,
  removeImage,
  run,
  tagImage,
  traceImageFile,
  unmountImage,
} from "bunker";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./run/app.ts";

describe("images()", () => {
  kernelTest("lists what is here, as it is named, told of, and removed", RUN_NEEDS, async (sandbox) => {
    const { reference } = await App.install(sandbox);
    const context = of(sandbox);

    await tagImage(reference, "second:x", context);
    const named = await images(context);
    const inspection = await inspectImage("second:x", context);
    const history = await imageHistory("second:x", context);
    const { deleted } = await removeImage(inspection.Id, { force: true }, context);

    expect(named.map(({ id }) => id)).toEqual([inspection.Id, inspection.Id]);
    expect(history.map(({ diffId }) => diffId)).toEqual([...inspection.RootFS.Layers].reverse());
    expect(deleted[0]).toBe(inspection.Id);
    expect(await images(context)).toEqual([]);
  });
});

describe("imageFiles()", () => {
  kernelTest("looks into an image, traces its files, and mounts it", RUN_NEEDS, async (sandbox) => {
    const { reference } = await App.install(sandbox, { entries: [{ name: "srv/file", data: "x" }] });
    const context = of(sandbox);

    const files = await imageFiles(reference, { path: "/srv" }, context);
    const traces = await traceImageFile(reference, "/srv/file", context);
    const tree = await imageTree(context);
    const { path } = await mountImage(reference, undefined, context);
    const content = await Bun.file(`${path}/srv/file`).text();
    const unmounted = await unmountImage(path, context);

    expect(files.map((file) => file.path)).toEqual(["srv", "srv/file"]);
    expect(traces).toMatchObject([{ state: "shown", layer: 2, layers: 2, size: 1 }]);
    expect(tree.layers[0]?.above[0]?.images).toHaveLength(1);
    expect({ content, unmounted: unmounted.map((each) => each.path) }).toEqual({
      content: "x",
      unmounted: [path],
    });
    await removeImage(reference, {}, context);
  });
});

describe("capture()", () => {
  kernelTest("keeps both outputs byte by byte, and the exit code", RUN_NEEDS, async (sandbox) => {
    const { reference: image } = await App.install(sandbox);
    const script = "printf 'a\\0b'; echo err >&2; head -c 300000 /dev/zero; exit 7";

    const result = await capture({ image, command: ["sh", "-c", script] }, of(sandbox));

    expect(result.exitCode).toBe(7);
    expect(result.stdout).toHaveLength(300_003);
    expect([...result.stdout.subarray(0, 3)]).toEqual([97, 0, 98]);
    expect(new TextDecoder().decode(result.stderr)).toBe("err\n");
  });

  kernelTest("runs containers side by side without blocking the thread", RUN_NEEDS, async (sandbox) => {
    const { reference: image } = await App.install(sandbox);
    const { path, mounts } = volumeOf(sandbox);
    let ticks = 0;
    const timer = setInterval(() => {
      // All of them wait for what only this thread does.
      if (++ticks === 10) writeFileSync(`${path}/stop`, "");
    }, 5);
    const script = (code: number) => `until [ -e /volume/stop ]; do sleep 0.05; done; exit ${code}`;

    const results = await Promise.all(
      Array.from({ length: 6 }, (_, code) =>
        capture({ image, mounts, command: ["sh", "-c", script(code)] }, of(sandbox)),
      ),
    );

    clearInterval(timer);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  kernelTest("rejects with the reason when the command is not there", RUN_NEEDS, async (sandbox) => {
    const { reference: image } = await App.install(sandbox);

    const failure = capture({ image, command: ["/nowhere"] }, of(sandbox));

    expect(failure).rejects.toMatchObject({ code: "CONTAINER", exitCode: 127 });
    await failure.catch(() => undefined);
  });
});

describe("run()", () => {
  kernelTest("leaves nothing behind in a program that goes on", RUN_NEEDS, async (sandbox) => {
    const { reference: image } = await App.install(sandbox);

    for (let round = 0; round < 20; round++) {
      expect(await run({ image, command: ["true"] }, of(sandbox))).toEqual({ exitCode: 0 });
    }
  });
});

describe("commit()", () => {
  kernelTest("makes an image of a container that this program runs", RUN_NEEDS, async (sandbox) => {
    const { reference: image } = await App.install(sandbox);
    const { path: volume, mounts } = volumeOf(sandbox);
    const script = "echo made > /file; echo > /volume/ready; until [ -e /volume/stop ]; do sleep 0.05; done";

    const running = run({ image, name: "maker", mounts, command: ["sh", "-c", script] }, of(sandbox));
    while (!existsSync(`${volume}/ready`)) await Bun.sleep(5);
    const id = await commit("maker", { reference: "made:1", changes: ["CMD cat /file"] }, of(sandbox));
    writeFileSync(`${volume}/stop`, "");
    await running;
    const { stdout } = await capture({ image: "made:1" }, of(sandbox));

    expect((await images(of(sandbox))).map((each) => each.id)).toContain(id);
    expect(new TextDecoder().decode(stdout)).toBe("made\n");
  });
});

/** A directory that containers have at "/volume". */
function volumeOf({ directory }: Sandbox) {
  const path = `${directory}/volume`;
  mkdirSync(path);
  const mount = { type: "bind", hostPath: path, containerPath: "/volume" } as const;
  const mounts = [{ ...mount, readonly: false, propagation: "rprivate", createHostPath: false }] as const;
  return { path, mounts };
}

const of = ({ root, state }: Sandbox): LibraryContext => ({ root, state });
