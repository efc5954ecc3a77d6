/** config.md, Annotations, Extensibility and Valid values: what is ignored, and what must not be. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { MOUNTS, NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

describe("config.md#annotations", () => {
  conformanceTest("that are not known are no error", [], async (runtime) => {
    const annotations = {
      "com.example.unknown": "x",
      "org.opencontainers.no-such": "y",
      "run.example/z": "",
    };

    expect(await runtime.output({ sh: "echo ran", annotations })).toBe("ran\n");
  });

  conformanceTest("whose value is no string are refused", [], async (runtime) => {
    await runtime.refusal({ annotations: { "com.example.number": 1 } });
  });

  conformanceTest("that are no map are refused", [], async (runtime) => {
    await runtime.refusal({ annotations: ["com.example"] });
  });
});

describe("config.md#extensibility", () => {
  conformanceTest("properties that are not known are ignored everywhere", [], async (runtime) => {
    const future = { anything: ["at", { all: 1 }] };

    const output = await runtime.output({
      sh: "echo ran",
      future,
      root: { future },
      process: { future, user: { future }, capabilities: { future: ["CAP_CHOWN"] } },
      mounts: [...MOUNTS, { destination: "/srv", type: "tmpfs", source: "x", future }],
      hooks: { future: [{ path: "/no/such/hook" }] },
      linux: { future, resources: { future }, namespaces: NAMESPACES.map((entry) => ({ ...entry, future })) },
    });

    expect(output).toBe("ran\n");
  });
});

describe("config.md#valid-values", () => {
  conformanceTest("values of another type are refused", [], async (runtime) => {
    const wrong = [
      { process: { args: "sh" } },
      { process: { args: [1] } },
      { process: { terminal: "no" } },
      { process: { env: { PATH: "/bin" } } },
      { root: "rootfs" },
      { root: { path: 1 } },
      { mounts: {} },
      { hostname: ["x"] },
      { linux: { namespaces: "pid" } },
      { linux: { maskedPaths: "/proc/kcore" } },
      { hooks: [] },
    ];

    for (const patch of wrong) expect(await runtime.refusal(patch)).not.toBe("");
  });

  conformanceTest("a config.json that is no JSON is refused", [], async (runtime) => {
    for (const text of ["", "{", "[]", "null", '"config"']) {
      const bundle = await runtime.bundle();
      writeFileSync(`${bundle.directory}/config.json`, text);

      expect(await runtime.refusal(bundle)).not.toBe("");
    }
  });
});
