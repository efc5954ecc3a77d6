import { describe, expect, test } from "bun:test";
import { parseImageConfig } from "../../../src/oci/image_config.ts";

const DIFF_ID = `sha256:${"0f".repeat(32)}`;
const FULL = {
  created: "2024-01-02T03:04:05Z",
  architecture: "arm",
  variant: "v7",
  os: "linux",
  config: {
    Env: ["PATH=/bin", "EMPTY="],
    Entrypoint: ["/entry"],
    Cmd: ["a", "b"],
    WorkingDir: "/work",
    User: "1000:1000",
    StopSignal: "SIGQUIT",
    Volumes: { "/data": {}, "/cache": {} },
    ExposedPorts: { "80/tcp": {} },
    Labels: { key: "value" },
  },
  rootfs: { type: "layers", diff_ids: [DIFF_ID] },
  history: [{ created_by: "ADD rootfs" }, { created_by: "ENV", empty_layer: true }],
};

describe("parseImageConfig()", () => {
  test("reads every field", () => {
    const config = parseImageConfig(bytes(FULL), 1);

    expect(config.config).toEqual({
      env: ["PATH=/bin", "EMPTY="],
      entrypoint: ["/entry"],
      cmd: ["a", "b"],
      workingDir: "/work",
      user: "1000:1000",
      stopSignal: "SIGQUIT",
      volumes: ["/data", "/cache"],
      exposedPorts: ["80/tcp"],
      labels: { key: "value" },
    });
    expect(config.platform).toEqual({ os: "linux", architecture: "arm", variant: "v7" });
    expect(config.created).toBe("2024-01-02T03:04:05Z");
    expect(config.diffIds.map(String)).toEqual([DIFF_ID]);
    expect(config.history.map((entry) => entry.isEmptyLayer)).toEqual([false, true]);
  });

  test("reads null and missing fields as empty", () => {
    const nulls = {
      os: "linux",
      architecture: "amd64",
      config: { Env: null, Cmd: null, Volumes: null, Labels: null },
    };

    const { config, diffIds, history } = parseImageConfig(bytes({ ...nulls, history: null }), 0);

    expect([config.env, config.cmd, config.entrypoint, config.volumes]).toEqual([[], [], [], []]);
    expect([config.workingDir, config.user, config.stopSignal]).toEqual(["", "", ""]);
    expect([diffIds, history]).toEqual([[], []]);
  });

  test("keeps a label named __proto__ an ordinary label", () => {
    const document = JSON.parse(JSON.stringify(FULL).replace('"key":', '"__proto__":'));

    const { labels } = parseImageConfig(bytes(document), 1).config;

    expect(Object.entries(labels)).toEqual([["__proto__", "value"]]);
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
  });

  test.each([
    ["fewer diff_ids than layers", FULL, 2],
    ["more diff_ids than layers", FULL, 0],
    ["another rootfs type", { ...FULL, rootfs: { ...FULL.rootfs, type: "windows" } }, 1],
    ["a diff_id that is a path", { ...FULL, rootfs: { diff_ids: ["sha256:../x"] } }, 1],
    ["an Env with a NUL", { ...FULL, config: { Env: ["A=b\0c"] } }, 1],
    ["a Cmd with a number", { ...FULL, config: { Cmd: [1] } }, 1],
    ["a User that is a number", { ...FULL, config: { User: 1000 } }, 1],
    ["Volumes that are a list", { ...FULL, config: { Volumes: ["/a"] } }, 1],
    ["a label that is an object", { ...FULL, config: { Labels: { a: {} } } }, 1],
  ])("refuses %s", (_, document, layerCount) => {
    expect(() => parseImageConfig(bytes(document), layerCount)).toThrow(SyntaxError);
  });

  test("refuses lists beyond their limit", () => {
    const env = Array.from({ length: 10_001 }, () => "A=");

    expect(() => parseImageConfig(bytes({ ...FULL, config: { Env: env } }), 1)).toThrow(RangeError);
  });
});

function bytes(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}
