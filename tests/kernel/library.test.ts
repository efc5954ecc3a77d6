/** The library: containers started from a Bun program, which goes on with its own work meanwhile. */
import { describe, expect } from "bun:test";
import {
  capture,
  imageHistory,
  images,
  inspectImage,
  type LibraryContext,
  removeImage,
  run,
  tagImage,
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
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);

    const results = await Promise.all(
      Array.from({ length: 6 }, (_, code) =>
        capture({ image, command: ["sh", "-c", `sleep 0.3; exit ${code}`] }, of(sandbox)),
      ),
    );

    clearInterval(timer);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(ticks).toBeGreaterThan(10);
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

const of = ({ root, state }: Sandbox): LibraryContext => ({ root, state });
