import { describe, expect, test } from "bun:test";
import { ConfigError, formatFault } from "../../../../src/oci/bundle/fault.ts";
import { checkConfig, parseConfig, parseProcess, parseResources } from "../../../../src/oci/bundle/parse.ts";
import { changed, faultsOf, validConfig } from "./valid_config.ts";

describe("parseConfig()", () => {
  test("gives back a configuration as it was written", () => {
    const source = JSON.stringify(validConfig());

    const config = parseConfig(source);

    expect(config).toEqual(validConfig() as never);
  });

  test("takes bytes and text alike", () => {
    const source = JSON.stringify(validConfig());

    expect(parseConfig(new TextEncoder().encode(source))).toEqual(parseConfig(source));
  });

  test.each(["1.0.0", "1.0.2-dev", "1.3.0", "1.99.0", "1.0.0-rc5+build.7"])("takes version %s", (version) => {
    expect(faultsOf(changed({ ociVersion: version }))).toEqual([]);
  });

  test.each(["2.0.0", "0.1.0", "1.3", "1", "x", "", " 1.0.0", 1, null])("refuses version %p", (version) => {
    expect(faultsOf(changed({ ociVersion: version }))).toEqual(["ociVersion"]);
  });

  test("ignores properties that the specification does not have", () => {
    expect(
      faultsOf(changed({ extra: 1, "process.extra": [], "linux.extra": {}, "root.extra": "\0" })),
    ).toEqual([]);
  });

  test.each(["vm", "windows", "solaris", "freebsd", "zos"])(
    "refuses the section of another platform: %s",
    (name) => {
      const [fault] = checkConfig(JSON.stringify(changed({ [name]: {} })));

      expect(fault?.path).toBe(name);
      expect(fault?.message).toContain("another platform");
    },
  );

  test("takes null for absent, as Go's decoder does", () => {
    const source = JSON.stringify(
      changed({ hooks: null, annotations: null, "linux.resources": null, windows: null }),
    );

    const config = parseConfig(source);

    expect(config.hooks).toBeUndefined();
    expect(config.linux?.resources).toBeUndefined();
  });

  test("says the field, the fault and the clause in one line", () => {
    const source = JSON.stringify(changed({ "linux.resources.memory.limit": "1\nG" }));

    expect(() => parseConfig(source)).toThrow(
      'linux.resources.memory.limit: expected a whole number from -1 to 9223372036854775807, found "1\\nG" ' +
        "(runtime-spec config-linux.md#memory)",
    );
  });

  test.each([
    [{ ociVersion: undefined }, "config.md#specification-version"],
    [{ root: undefined }, "config.md#root"],
    [{ hostname: 1 }, "config.md#hostname"],
    [{ annotations: { a: 1 } }, "config.md#annotations"],
    [{ mounts: {} }, "config.md#mounts"],
    [{ "process.rlimits": [{}] }, "config.md#posix-process"],
    [{ "hooks.poststop": [{ path: 1 }] }, "config.md#posix-platform-hooks"],
    [{ "linux.namespaces": {} }, "config-linux.md#namespaces"],
    [{ "linux.cgroupsPath": 1 }, "config-linux.md#cgroups-path"],
    [{ "linux.sysctl": 1 }, "config-linux.md#sysctl"],
    [{ "linux.rootfsPropagation": "x" }, "config-linux.md#rootfs-mount-propagation"],
    [{ "linux.resources.unified": 1 }, "config-linux.md#unified"],
    [{ "linux.resources.devices": 1 }, "config-linux.md#allowed-device-list"],
    [{ vm: {} }, "config.md#platform-specific-configuration"],
  ])("names the clause of %j", (changes, section) => {
    const [fault] = checkConfig(JSON.stringify(changed(changes)));

    expect(fault?.section).toBe(section);
  });

  test("names every fault, not only the first", () => {
    const config = changed({
      "process.cwd": "tmp",
      "mounts.1.destination": "",
      "linux.namespaces.0.type": "pod",
      hostname: "a".repeat(65),
    });

    expect(faultsOf(config)).toEqual([
      "mounts[1].destination",
      "process.cwd",
      "hostname",
      "linux.namespaces[0].type",
    ]);
  });

  test("reads whole numbers of 64 bits exactly", () => {
    const limits = [{ type: "RLIMIT_CORE", soft: "18446744073709551615", hard: "18446744073709551615" }];
    const text = JSON.stringify(changed({ "process.rlimits": limits })).replace(/"(\d{20})"/g, "$1");

    const { process } = parseConfig(text);

    expect(process?.rlimits?.[0]?.soft).toBe(18_446_744_073_709_551_615n);
  });

  test.each([
    [":", "9007199254740993"],
    [": ", "9007199254740993"],
    [":\n\t", "9007199254740993"],
    [":", "-9007199254740993"],
  ])("reads a long number exactly after %j", (colon, number) => {
    const { pids } = parseResources(`{"pids":{"limit"${colon}${number}}}`);

    expect(pids?.limit).toBe(BigInt(number));
  });

  test.each(
    ["18446744073709551616", "9".repeat(100_000), "1e309", "-1", "0.5", "1e-3"].map((text) => [
      text.slice(0, 20),
      text,
    ]),
  )("refuses the number %s… as a limit of 64 bits", (_start, number) => {
    const limits = [{ type: "RLIMIT_CORE", soft: 0, hard: "@" }];
    const text = JSON.stringify(changed({ "process.rlimits": limits })).replace('"@"', number);

    expect(checkConfig(text).map(({ path }) => path)).toEqual(["process.rlimits[0].hard"]);
  });

  test("lets no __proto__ supply a field", () => {
    const text =
      '{"ociVersion": "1.0.0", "__proto__": {"root": {"path": "rootfs"}}, "process": {"__proto__": {"cwd": "/"}}}';

    const paths = checkConfig(text).map(({ path }) => path);

    expect(paths).toEqual(["process.cwd", "process.user", "root"]);
    expect(Object.hasOwn(Object.prototype, "root")).toBe(false);
  });

  test("takes the last of two equal keys", () => {
    expect(parseConfig('{"ociVersion":"x","ociVersion":"1.0.0","root":{"path":"rootfs"}}').ociVersion).toBe(
      "1.0.0",
    );
  });

  test.each([
    ["nothing", ""],
    ["half a document", '{"ociVersion":'],
    ["another type", "[]"],
    ["null", "null"],
  ])("refuses %s with one fault of the whole", (_what, text) => {
    expect(checkConfig(text).map(({ path }) => path)).toEqual([""]);
  });

  test("says of a document that is too deep for exact numbers that it is deep", () => {
    const text = `{"x":${"[".repeat(100_000)} 1234567890123456${"]".repeat(100_000)}}`;

    expect(() => parseConfig(text)).toThrow("it is nested more than 256 deep");
  });

  test("refuses bytes that are no UTF-8", () => {
    expect(() => parseConfig(new Uint8Array([0x22, 0xff, 0x22]))).toThrow("it is not UTF-8");
  });

  test("refuses a document above its bound", () => {
    expect(() => parseConfig(new Uint8Array(4 * 1024 * 1024 + 1))).toThrow("at most 4194304 are read");
  });

  test("keeps no more faults than its bound", () => {
    const faults = checkConfig(JSON.stringify(changed({ "process.env": new Array(1000).fill("x") })));

    expect(faults).toHaveLength(100);
  });
});

describe("parseProcess()", () => {
  test("checks a process alone, with paths from its top", () => {
    expect(() => parseProcess('{"cwd": "/", "user": {"uid": 0, "gid": -1}}')).toThrow("user.gid: expected");
  });
});

describe("parseResources()", () => {
  test("takes what containerd writes for nothing", () => {
    const text =
      '{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""}}';

    expect(parseResources(text).cpu?.cpus).toBeUndefined();
  });

  test("names fields from its top", () => {
    expect(() => parseResources('{"pids": {}}')).toThrow(
      "pids.limit: it is required (runtime-spec config-linux.md#pids)",
    );
  });
});

describe("ConfigError", () => {
  test("counts the other faults in its message", () => {
    const fault = { path: "a.b", message: "it is wrong", section: "config.md#a" };

    expect(new ConfigError([fault, fault, fault]).message).toBe(`${formatFault(fault)}, and 2 more`);
  });
});
