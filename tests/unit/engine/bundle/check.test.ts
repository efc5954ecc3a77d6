import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { checkBundle } from "../../../../src/engine/bundle/check.ts";
import { starterConfig } from "../../../../src/engine/bundle/starter_config.ts";

describe("checkBundle()", () => {
  test("finds nothing in a new bundle with a root", async () => {
    using bundle = new Bundle(starterConfig(undefined));

    expect(await checkBundle(bundle.path)).toEqual([]);
  });

  test("finds nothing in a new bundle of an ordinary user", async () => {
    using bundle = new Bundle(starterConfig({ uid: 1000, gid: 1000 }));

    expect(await checkBundle(bundle.path)).toEqual([]);
  });

  test("names every fault of the configuration by its path and clause", async () => {
    using bundle = new Bundle({
      ...starterConfig(undefined),
      hostname: 1,
      linux: { resources: { memory: { limit: "1g" } } },
    });

    const faults = await checkBundle(bundle.path);

    expect(faults.map(({ path, section }) => [path, section])).toEqual([
      ["hostname", "config.md"],
      ["linux.resources.memory.limit", "config-linux.md#memory"],
    ]);
    expect(faults[1]?.line).toStartWith("linux.resources.memory.limit: ");
  });

  test("names what is missing on this machine", async () => {
    const starter = starterConfig(undefined) as {
      readonly mounts: readonly object[];
      readonly linux: object;
    };
    using bundle = new Bundle({
      ...starter,
      root: { path: "elsewhere" },
      mounts: [...starter.mounts, { destination: "/x", type: "bind", source: "/nonexistent/source" }],
      hooks: { prestart: [{ path: "/nonexistent/hook" }], startContainer: [{ path: "/in/container" }] },
      linux: {
        ...starter.linux,
        namespaces: [{ type: "uts", path: "/nonexistent/uts" }, { type: "mount" }],
        seccomp: { defaultAction: "SCMP_ACT_NOPE" },
      },
    });

    const faults = await checkBundle(bundle.path);

    expect(faults.map(({ path }) => path)).toEqual([
      "root.path",
      "mounts[7].source",
      "hooks.prestart[0].path",
      "linux.namespaces[0].path",
      "linux.seccomp",
    ]);
  });

  test("reads another file when asked to", async () => {
    using bundle = new Bundle(starterConfig(undefined));
    writeFileSync(`${bundle.path}/other.json`, "{}");

    const faults = await checkBundle(bundle.path, "other.json");

    expect(faults.map(({ path }) => path)).toEqual(["ociVersion", "root"]);
  });

  test("says where no configuration is", async () => {
    expect(checkBundle("/nonexistent")).rejects.toThrow('Cannot read "/nonexistent/config.json"');
  });
});

class Bundle implements Disposable {
  readonly path = mkdtempSync(`${tmpdir()}/bunker-check-`);

  constructor(config: object) {
    mkdirSync(`${this.path}/rootfs`);
    writeFileSync(`${this.path}/config.json`, JSON.stringify(config));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
