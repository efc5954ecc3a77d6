/** config-linux.md, Personality; Rootfs Mount Propagation. */
import { describe, expect } from "bun:test";
import { conformanceTest } from "./harness.ts";

describe("config-linux.md#personality", () => {
  conformanceTest("LINUX32 shows a processor of 32 bits", ["x86-64"], async (runtime) => {
    expect(await runtime.output({ sh: "uname -m", linux: { personality: { domain: "LINUX32" } } })).toBe(
      "i686\n",
    );
  });

  conformanceTest("LINUX shows the processor as it is", ["x86-64"], async (runtime) => {
    expect(await runtime.output({ sh: "uname -m", linux: { personality: { domain: "LINUX" } } })).toBe(
      "x86_64\n",
    );
  });

  conformanceTest("of a domain that does not exist is refused", [], async (runtime) => {
    await runtime.refusal({ linux: { personality: { domain: "WINDOWS" } } });
  });

  conformanceTest("a personality with a flag that does not exist is refused", [], async (runtime) => {
    await runtime.refusal({ linux: { personality: { domain: "LINUX", flags: ["NO_SUCH_FLAG"] } } });
  });
});

describe("config-linux.md#rootfs-mount-propagation", () => {
  const sh = "awk '$5 == \"/\"' /proc/self/mountinfo | sed 's/ - .*//' | cut -d' ' -f7-";

  conformanceTest("shared makes the root's mount a peer group of its own", [], async (runtime) => {
    expect(await runtime.output({ sh, linux: { rootfsPropagation: "shared" } })).toMatch(/^shared:\d+/);
  });

  conformanceTest("private makes the root's mount receive and send nothing", [], async (runtime) => {
    for (const rootfsPropagation of ["private", "rprivate"]) {
      expect(await runtime.output({ sh, linux: { rootfsPropagation } })).toBe("\n");
    }
  });

  conformanceTest("unbindable makes the root's mount one that cannot be bound", [], async (runtime) => {
    expect(await runtime.output({ sh, linux: { rootfsPropagation: "unbindable" } })).toBe("unbindable\n");
  });

  conformanceTest("slave makes the root's mount send nothing", [], async (runtime) => {
    expect(await runtime.output({ sh, linux: { rootfsPropagation: "slave" } })).not.toContain("shared");
  });

  conformanceTest("none of the specification's is refused", [], async (runtime) => {
    await runtime.refusal({ linux: { rootfsPropagation: "sideways" } });
  });
});
