import { describe, expect, test } from "bun:test";
import { defaultRunOptions, type RunOptions } from "../../../src/engine/options/run_options.ts";
import { createSpec, requiredResources, type SpecInputs } from "../../../src/engine/spec.ts";

describe("createSpec()", () => {
  test.each([
    { title: "the image's entry point and Cmd", options: {}, args: ["/entry", "-a"] },
    { title: "arguments instead of Cmd", options: { command: ["x"] }, args: ["/entry", "x"] },
    {
      title: "the user's entry point without the image's Cmd",
      options: { entrypoint: ["/e"] },
      args: ["/e"],
    },
    {
      title: "arguments alone when the entry point is taken away",
      options: { entrypoint: [], command: ["sh", "-c"] },
      args: ["sh", "-c"],
    },
  ])("runs $title", ({ options, args }) => {
    expect(specOf(options).process.args).toEqual(args);
  });

  test("refuses an image without a command, with the way out", () => {
    expect(() => specOf({ entrypoint: [] })).toThrow('Cannot run "image": the image names no command');
  });

  test("lets entries of the user win over the image's, and those over the defaults", () => {
    const { env } = specOf({ env: ["A=user", "EMPTY="] }).process;

    expect(env).toEqual(["PATH=/image", "HOSTNAME=aaaaaaaaaaaa", "A=user", "EMPTY="]);
  });

  test("takes an entry without a value from the caller, and leaves it out when it is not set there", () => {
    process.env["BUNKER_TEST_SET"] = "here";

    const { env } = specOf({ env: ["BUNKER_TEST_SET", "BUNKER_TEST_UNSET", "A"] }).process;

    delete process.env["BUNKER_TEST_SET"];
    expect(env).toContain("BUNKER_TEST_SET=here");
    expect(env.some((entry) => entry.startsWith("BUNKER_TEST_UNSET") || entry.startsWith("A="))).toBe(false);
  });

  test("refuses a working directory that is not absolute", () => {
    expect(() => specOf({ workdir: "here" })).toThrow("is not an absolute path");
  });

  test("limits processes to 2048 unless asked otherwise, and not at all for -1", () => {
    expect(specOf({}).linux.resources).toEqual({ pids: 2048 });
    expect(specOf({ pidsLimit: 7, cpus: 0.5, memoryBytes: 1 << 20 }).linux.resources).toEqual({
      pids: 7,
      cpuQuota: 50_000,
      memory: 1 << 20,
    });
    expect(specOf({ pidsLimit: -1 }).linux.resources).toEqual({});
  });

  test("masks nothing in a privileged container", () => {
    expect(specOf({ privileged: true }).linux.maskedPaths).toEqual([]);
    expect(specOf({}).linux.maskedPaths).toContain("/proc/kcore");
  });

  test("gives a tmpfs no programs, devices or setuid files unless asked", () => {
    const tmpfs = {
      type: "tmpfs",
      containerPath: "/t",
      sizeBytes: 4096,
      mode: 0o1777,
      readonly: false,
    } as const;
    const closed = { exec: false, suid: false, dev: false, uid: undefined, gid: undefined };

    const [mount] = specOf({ mounts: [{ ...tmpfs, ...closed }] }).mounts;

    expect(mount?.options).toEqual(["nosuid", "nodev", "noexec", "mode=1777", "size=4096"]);
  });
});

describe("requiredResources()", () => {
  test("names only what the user gave", () => {
    expect([...requiredResources(optionsOf({}))]).toEqual([]);
    expect([...requiredResources(optionsOf({ pidsLimit: 5, cpus: 1 }))]).toEqual(["cpuQuota", "pids"]);
    expect([...requiredResources(optionsOf({ pidsLimit: -1 }))]).toEqual([]);
  });
});

const optionsOf = (options: Partial<RunOptions>): RunOptions => ({
  ...defaultRunOptions,
  image: "image",
  ...options,
});

const specOf = (options: Partial<RunOptions>) => createSpec(optionsOf(options), inputs);

const inputs: SpecInputs = {
  config: {
    env: ["PATH=/image", "A=image"],
    entrypoint: ["/entry"],
    cmd: ["-a"],
    workingDir: "",
    user: "",
    stopSignal: "",
    volumes: [],
    exposedPorts: [],
    labels: {},
  },
  id: "a".repeat(64),
  capabilities: 0n,
  rlimits: [],
  idMaps: undefined,
  isDirectory: () => true,
  devices: [],
};
