/** config.md, Specification version and Root. */
import { describe, expect } from "bun:test";
import { conformanceTest } from "./harness.ts";

describe("config.md#specification-version", () => {
  conformanceTest("accepts every version 1.x", [], async (runtime) => {
    for (const ociVersion of ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0", "1.99.0"]) {
      expect(await runtime.output({ ociVersion, sh: "echo ran" })).toBe("ran\n");
    }
  });

  conformanceTest("refuses a version that is no semantic version", [], async (runtime) => {
    await runtime.refusal({ ociVersion: "one" });
  });

  conformanceTest("refuses a version of another major number", [], async (runtime) => {
    await runtime.refusal({ ociVersion: "2.0.0" });
  });

  conformanceTest("refuses a configuration without a version", [], async (runtime) => {
    await runtime.refusal({ ociVersion: null });
  });
});

describe("config.md#root", () => {
  conformanceTest("takes an absolute path of the root", [], async (runtime) => {
    const { root } = await runtime.bundle();

    expect(await runtime.output({ sh: "ls /bin/sh", root: { path: root } })).toBe("/bin/sh\n");
  });

  conformanceTest("takes a path of the root relative to the bundle", [], async (runtime) => {
    expect(await runtime.output({ sh: "ls /bin/sh", root: { path: "./rootfs/." } })).toBe("/bin/sh\n");
  });

  conformanceTest("refuses a root that is not there", [], async (runtime) => {
    await runtime.refusal({ root: { path: "missing" } });
  });

  conformanceTest("refuses a root that is a file", [], async (runtime) => {
    await runtime.refusal({ root: { path: "config.json" } });
  });

  conformanceTest("refuses a configuration without a root", [], async (runtime) => {
    await runtime.refusal({ root: null });
  });

  conformanceTest("a root that is read-only cannot be written", [], async (runtime) => {
    const sh = "touch /made 2>&1; mkdir /srv/made 2>&1; grep -E '^[^ ]+ / ' /proc/mounts | cut -d' ' -f4";

    const output = await runtime.output({ sh, root: { readonly: true } });

    expect(output).toContain("touch: /made: Read-only file system\n");
    expect(output).toContain("mkdir: can't create directory '/srv/made': Read-only file system\n");
    expect(output).toMatch(/^ro(,|$)/m);
  });

  conformanceTest("a root can be written when nothing is said", [], async (runtime) => {
    const bundle = await runtime.bundle({ sh: "echo written > /srv/made" });

    await runtime.outputOf(bundle);

    expect(await Bun.file(`${bundle.root}/srv/made`).text()).toBe("written\n");
  });
});
