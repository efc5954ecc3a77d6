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
      ["hostname", "config.md#hostname"],
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
      mounts: [...starter.mounts, { destination: "/x", type: "bind", source: "/proc/nonexistent/source" }],
      hooks: { prestart: [{ path: "/proc/nonexistent/hook" }], startContainer: [{ path: "/in/container" }] },
      linux: {
        ...starter.linux,
        namespaces: [{ type: "uts", path: "/proc/nonexistent/uts" }, { type: "mount" }],
        seccomp: { defaultAction: "SCMP_ACT_NOPE" },
      },
    });

    const faults = await checkBundle(bundle.path);

    expect(faults.map(({ path }) => path)).toEqual([
      "root.path",
      "mounts[7].source",
      "hooks.prestart[0].path",
      "linux.namespaces[0].path",
      "linux.seccomp.defaultAction",
    ]);
  });

  test("reads another file when asked to", async () => {
    using bundle = new Bundle(starterConfig(undefined));
    writeFileSync(`${bundle.path}/other.json`, "{}");

    const faults = await checkBundle(bundle.path, "other.json");

    expect(faults.map(({ path }) => path)).toEqual(["ociVersion", "root"]);
  });

  test("names what is missing on this machine besides what the configuration says wrong", async () => {
    using bundle = new Bundle({ ...starterConfig(undefined), hostname: 1, root: { path: "elsewhere" } });

    const faults = await checkBundle(bundle.path);

    expect(faults.map(({ path }) => path)).toEqual(["hostname", "root.path"]);
  });

  test.each([
    [{ defaultAction: "SCMP_ACT_ALLOW", flags: ["X"] }, "linux.seccomp.flags[0]"],
    [{ defaultAction: "SCMP_ACT_NOTIFY" }, "linux.seccomp.defaultAction"],
    [{ defaultAction: "SCMP_ACT_KILL", defaultErrnoRet: 1 }, "linux.seccomp.defaultErrnoRet"],
    [
      {
        defaultAction: "SCMP_ACT_ERRNO",
        syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", errnoRet: 1 }],
      },
      "linux.seccomp.syscalls[0].errnoRet",
    ],
    [
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: [], action: "SCMP_ACT_LOG" }] },
      "linux.seccomp.syscalls[0].names",
    ],
  ])("compiles the filter %j", async (seccomp, path) => {
    const starter = starterConfig(undefined) as { readonly linux: object };
    using bundle = new Bundle({ ...starter, linux: { ...starter.linux, seccomp } });

    const faults = await checkBundle(bundle.path);

    expect(faults.map((fault) => fault.path)).toEqual([path]);
  });

  test("names keys that stand twice", async () => {
    using bundle = new Bundle(starterConfig(undefined));
    const text = JSON.stringify(starterConfig(undefined)).replace('"cwd"', '"cwd":"x","cwd"');
    writeFileSync(`${bundle.path}/config.json`, text);

    const faults = await checkBundle(bundle.path);

    expect(faults.map(({ path }) => path)).toEqual(["process.cwd"]);
  });

  test("says where the file stops being JSON", async () => {
    using bundle = new Bundle({});
    writeFileSync(`${bundle.path}/config.json`, '{\n\t"ociVersion": "1.3.0"\n\t"root": {}\n}');

    const faults = await checkBundle(bundle.path);

    expect(faults.map(({ line }) => line)).toEqual([
      'config.json: it is not JSON: line 3, column 2: expected "," or "}", found "\\"" (runtime-spec config.md)',
    ]);
  });

  test("waits for no writer of a FIFO", async () => {
    using bundle = new Bundle({});
    Bun.spawnSync(["mkfifo", `${bundle.path}/fifo`]);

    expect(checkBundle(bundle.path, "fifo")).rejects.toThrow("it is no regular file");
  });

  test("reads no file above its bound", async () => {
    using bundle = new Bundle({});
    writeFileSync(`${bundle.path}/config.json`, " ".repeat(4 * 1024 * 1024 + 1));

    expect(checkBundle(bundle.path)).rejects.toThrow("it has 4194305 bytes, at most 4194304 are read");
  });

  test("says where no configuration is", async () => {
    expect(checkBundle("/proc/nonexistent")).rejects.toThrow('Cannot read "/proc/nonexistent/config.json"');
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
