/** config.md, Mounts: their order, sources and destinations, and mappings of ids. */
import { describe, expect } from "bun:test";
import { chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { Runtime } from "../helpers/oci_runtime.ts";
import { ID_MAP, type Json, MOUNTS } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

describe("config.md#mounts", () => {
  conformanceTest("are made in the listed order", [], async (runtime) => {
    const outer = { destination: "/srv", type: "tmpfs", source: "outer" };
    const inner = { destination: "/srv/inner", type: "tmpfs", source: "inner" };
    const sh = "grep ' /srv' /proc/mounts | cut -d' ' -f1,2; ls -A /srv";

    const sorted = await runtime.output({ sh, mounts: [...MOUNTS, outer, inner] });
    const reversed = await runtime.output({ sh, mounts: [...MOUNTS, inner, outer] });

    expect(sorted).toBe("outer /srv\ninner /srv/inner\ninner\n");
    expect(reversed).toBe("inner /srv/inner\nouter /srv\n");
  });

  conformanceTest("at one destination hide each other in the listed order", [], async (runtime) => {
    const mounts = ["first", "second"].map((source) => ({ destination: "/srv", type: "tmpfs", source }));
    const sh = "grep ' /srv ' /proc/mounts | cut -d' ' -f1";

    expect(await runtime.output({ sh, mounts: [...MOUNTS, ...mounts] })).toBe("first\nsecond\n");
  });

  conformanceTest("have destinations that are made where they are missing", [], async (runtime) => {
    const mounts = [...MOUNTS, { destination: "/not/there/yet", type: "tmpfs", source: "deep" }];

    expect(await runtime.output({ sh: "grep -c ' /not/there/yet tmpfs ' /proc/mounts", mounts })).toBe("1\n");
  });

  conformanceTest("take a relative destination from the root", [], async (runtime) => {
    const mounts = [...MOUNTS, { destination: "srv/relative", type: "tmpfs", source: "relative" }];
    const sh = "cd /tmp; grep '^relative' /proc/mounts | cut -d' ' -f2";

    expect(await runtime.output({ sh, mounts })).toBe("/srv/relative\n");
  });

  conformanceTest("take destinations inside the root where a link leads out of it", [], async (runtime) => {
    const bundle = await runtime.bundle({
      sh: "grep '^inside ' /proc/mounts | cut -d' ' -f2",
      mounts: [...MOUNTS, { destination: "/out/place", type: "tmpfs", source: "inside" }],
    });
    symlinkSync("/../../../../srv", `${bundle.root}/out`);

    expect(await runtime.outputOf(bundle)).toBe("/srv/place\n");
    expect(existsSync("/srv/place")).toBe(false);
  });

  conformanceTest("without a destination are refused", [], async (runtime) => {
    await runtime.refusal({ mounts: [...MOUNTS, { type: "tmpfs", source: "tmpfs" }] });
  });

  conformanceTest("of a file system that the kernel does not have are refused", [], async (runtime) => {
    await runtime.refusal({ mounts: [...MOUNTS, { destination: "/srv", type: "nosuchfs", source: "none" }] });
  });

  conformanceTest("pass options that are not known on to the file system", [], async (runtime) => {
    const options = ["size=1m", "mode=0710", "nr_inodes=50"];
    const mounts = [...MOUNTS, { destination: "/srv", type: "tmpfs", source: "tmpfs", options }];
    const sh =
      "stat -c %a /srv; df -k /srv | tail -1 | awk '{print $2}'; df -i /srv | tail -1 | awk '{print $2}'";

    expect(await runtime.output({ sh, mounts })).toBe("710\n1024\n50\n");
  });

  conformanceTest("with an option that the file system refuses are refused", [], async (runtime) => {
    const options = ["nosuchoption=1"];

    await runtime.refusal({ mounts: [...MOUNTS, { destination: "/srv", type: "tmpfs", options }] });
  });
});

const bind = (source: string, more: readonly string[] = [], rest: Json = {}): readonly Json[] => [
  ...MOUNTS,
  { destination: "/volume", source, options: ["bind", ...more], ...rest },
];

describe("config.md#mounts: a bind mount", () => {
  conformanceTest("is one by its option, whatever its type says", [], async (runtime) => {
    const source = await volume(runtime);

    for (const type of ["none", "bind", "tmpfs"]) {
      expect(await runtime.output({ sh: "cat /volume/file", mounts: bind(source, [], { type }) })).toBe(
        "held",
      );
    }
  });

  conformanceTest("takes a relative source from the bundle", [], async (runtime) => {
    const bundle = await runtime.bundle({ sh: "cat /volume/file", mounts: bind("data") });
    mkdirSync(`${bundle.directory}/data`);
    writeFileSync(`${bundle.directory}/data/file`, "of the bundle");

    expect(await runtime.outputOf(bundle)).toBe("of the bundle");
  });

  conformanceTest("of a file makes a file where there is none", [], async (runtime) => {
    const source = await volume(runtime);
    const mounts = [...MOUNTS, { destination: "/made/file", source: `${source}/file`, options: ["bind"] }];

    expect(await runtime.output({ sh: "cat /made/file", mounts })).toBe("held");
  });

  conformanceTest("whose source is not there is refused", [], async (runtime) => {
    await runtime.refusal({ mounts: bind("/no/such/source") });
  });

  conformanceTest("with ro cannot be written", [], async (runtime) => {
    const source = await volume(runtime);

    const output = await runtime.output({
      sh: "touch /volume/made 2>&1; true",
      mounts: bind(source, ["ro"]),
    });

    expect(output).toContain("Read-only file system");
    expect(existsSync(`${source}/made`)).toBe(false);
  });

  conformanceTest("brings mounts below its source with rbind and not with bind", [], async (runtime) => {
    const mounts = (option: string): readonly Json[] => [
      ...MOUNTS,
      { destination: "/volume", source: "/proc/self", options: [option] },
      { destination: "/copy", source: "/dev", options: [option] },
    ];
    const sh = "ls -A /copy/pts | wc -l";

    expect(Number(await runtime.output({ sh, mounts: mounts("rbind") }))).toBeGreaterThan(0);
    expect(await runtime.output({ sh, mounts: mounts("bind") })).toBe("0\n");
  });
});

describe("config.md#posix-platform-mounts: mappings", () => {
  const mappings = { uidMappings: ID_MAP, gidMappings: ID_MAP };
  const sh = "stat -c '%u %g' /volume/file";

  conformanceTest("change the owners that a container without a user namespace sees", [], async (runtime) => {
    const source = await volume(runtime);
    chownSync(`${source}/file`, 5, 6);

    const output = await runtime.output({ sh, mounts: bind(source, ["idmap"], mappings) });

    expect(output).toBe("100005 100006\n");
  });

  conformanceTest("for users without those for groups are refused", [], async (runtime) => {
    const source = await volume(runtime);

    await runtime.refusal({ mounts: bind(source, ["idmap"], { uidMappings: ID_MAP }) });
  });

  conformanceTest("for groups without those for users are refused", [], async (runtime) => {
    const source = await volume(runtime);

    await runtime.refusal({ mounts: bind(source, ["idmap"], { gidMappings: ID_MAP }) });
  });

  conformanceTest("that idmap asks for and nothing gives are refused", [], async (runtime) => {
    const source = await volume(runtime);

    for (const option of ["idmap", "ridmap"]) await runtime.refusal({ mounts: bind(source, [option]) });
  });

  conformanceTest("are those of the container where idmap names none", [], async (runtime) => {
    const source = await volume(runtime);
    chownSync(`${source}/file`, 5, 6);
    const bundle = await runtime.bundle({
      sh,
      mounts: bind(source, ["idmap"]),
      linux: {
        namespaces: ["pid", "ipc", "uts", "mount", "user"].map((type) => ({ type })),
        uidMappings: ID_MAP,
        gidMappings: ID_MAP,
      },
    });
    mkdirSync(`${bundle.root}/volume`);

    expect(await runtime.outputOf(bundle)).toBe("5 6\n");
  });
});

/** A directory with a file in it. */
async function volume(runtime: Runtime): Promise<string> {
  const directory = `${runtime.directory}/volume`;
  await Bun.write(`${directory}/file`, "held");
  return directory;
}
