/** config-linux.md, User namespace mappings. */
import { describe, expect } from "bun:test";
import { chownSync, readlinkSync, statSync } from "node:fs";
import { ID_MAP, NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const NEEDS = ["user namespaces"] as const;
const namespaces = [...NAMESPACES, { type: "user" }];
const linux = { namespaces, uidMappings: ID_MAP, gidMappings: ID_MAP };

describe("config-linux.md#user-namespace-mappings", () => {
  conformanceTest("are those of the namespace", NEEDS, async (runtime) => {
    const output = await runtime.output({ sh: "cat /proc/self/uid_map /proc/self/gid_map | xargs", linux });

    expect(output).toBe("0 100000 65536 0 100000 65536\n");
  });

  conformanceTest("of several ranges are all there", NEEDS, async (runtime) => {
    const mappings = [
      { containerID: 0, hostID: 100_000, size: 1000 },
      { containerID: 1000, hostID: 300_000, size: 10 },
    ];

    const output = await runtime.output({
      sh: "cat /proc/self/uid_map | xargs; id -u",
      process: { user: { uid: 1005, gid: 0 } },
      linux: { namespaces, uidMappings: mappings, gidMappings: ID_MAP },
    });

    expect(output).toBe("0 100000 1000 1000 300000 10\n1005\n");
  });

  conformanceTest("decide who the process is outside", NEEDS, async (runtime) => {
    const container = await runtime.start({
      process: { args: ["/bin/sleep", "60"], user: { uid: 7, gid: 8 } },
      linux,
    });
    const { pid } = await container.state();

    const { uid, gid } = statSync(`/proc/${pid}`);

    expect({ uid, gid }).toEqual({ uid: 100_007, gid: 100_008 });
  });

  conformanceTest("do not change the owners of files", NEEDS, async (runtime) => {
    const bundle = await runtime.bundle({ sh: "stat -c '%u %g' /srv /tmp", linux });
    chownSync(`${bundle.root}/srv`, 100_003, 100_004);

    const output = await runtime.outputOf(bundle);

    expect(output).toBe("3 4\n65534 65534\n");
    expect(statSync(`${bundle.root}/srv`).uid).toBe(100_003);
    expect(statSync(`${bundle.root}/tmp`).uid).toBe(0);
  });

  conformanceTest("give a namespace that owns the others", NEEDS, async (runtime) => {
    const output = await runtime.output({
      sh: "hostname inside && hostname; mount -t tmpfs x /srv && echo mounted",
      process: {
        capabilities: Object.fromEntries(
          ["bounding", "effective", "permitted"].map((set) => [set, ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]]),
        ),
      },
      linux,
    });

    expect(output).toBe("inside\nmounted\n");
  });

  conformanceTest("are not needed for a namespace that is joined", NEEDS, async (runtime) => {
    const first = await runtime.start({ process: { args: ["/bin/sleep", "60"] }, linux });
    const path = `/proc/${(await first.state()).pid}/ns/user`;

    const output = await runtime.output({
      sh: "readlink /proc/self/ns/user; cat /proc/self/uid_map | xargs",
      linux: { namespaces: [...NAMESPACES, { type: "user", path }] },
    });

    expect(output).toBe(`${readlinkSync(path)}\n0 100000 65536\n`);
  });

  conformanceTest("that overlap are refused", NEEDS, async (runtime) => {
    const mappings = [...ID_MAP, ...ID_MAP];

    await runtime.refusal({ linux: { namespaces, uidMappings: mappings, gidMappings: mappings } });
  });

  conformanceTest("that leave out the process's user are refused", NEEDS, async (runtime) => {
    await runtime.refusal({ process: { user: { uid: 70_000, gid: 0 } }, linux });
  });
});
