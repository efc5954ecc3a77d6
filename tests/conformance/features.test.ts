/** features.md and features-linux.md: the document, and that it is true. */
import { describe, expect } from "bun:test";
import type { Runtime } from "../helpers/oci_runtime.ts";
import { type Json, MOUNTS } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks?: readonly string[];
  readonly mountOptions?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly potentiallyUnsafeConfigAnnotations?: readonly string[];
  readonly linux?: {
    readonly namespaces?: readonly string[];
    readonly capabilities?: readonly string[];
    readonly cgroup?: Readonly<Record<string, boolean>>;
    readonly seccomp?: {
      readonly actions?: readonly string[];
      readonly operators?: readonly string[];
      readonly archs?: readonly string[];
      readonly knownFlags?: readonly string[];
      readonly supportedFlags?: readonly string[];
    };
    readonly mountExtensions?: { readonly idmap?: { readonly enabled?: boolean } };
    readonly memoryPolicy?: { readonly modes?: readonly string[]; readonly flags?: readonly string[] };
    readonly intelRdt?: Json;
    readonly netDevices?: Json;
    readonly apparmor?: Json;
    readonly selinux?: Json;
  };
}

/** What the specification defines, by place. */
const DEFINED: Readonly<Record<string, readonly string[]>> = {
  "": [
    "ociVersionMin",
    "ociVersionMax",
    "hooks",
    "mountOptions",
    "linux",
    "annotations",
    "potentiallyUnsafeConfigAnnotations",
  ],
  linux: [
    "namespaces",
    "capabilities",
    "cgroup",
    "seccomp",
    "apparmor",
    "selinux",
    "intelRdt",
    "memoryPolicy",
    "mountExtensions",
    "netDevices",
  ],
  "linux.cgroup": ["v1", "v2", "systemd", "systemdUser", "rdma"],
  "linux.seccomp": ["enabled", "actions", "operators", "archs", "knownFlags", "supportedFlags"],
  "linux.apparmor": ["enabled"],
  "linux.selinux": ["enabled"],
  "linux.intelRdt": ["enabled", "schemata", "monitoring"],
  "linux.memoryPolicy": ["modes", "flags"],
  "linux.mountExtensions": ["idmap"],
  "linux.netDevices": ["enabled"],
};

/** libseccomp puts no two orders of bytes into one filter. */
const BIG_ENDIAN = /_(MIPS|MIPS64|MIPS64N32|PPC|PPC64|S390|S390X|PARISC|PARISC64|M68K|SHEB)$/;

async function featuresOf(runtime: Runtime): Promise<Features> {
  const { exitCode, stdout, stderr } = await runtime.command("features");
  if (exitCode !== 0) throw new Error(`features ended with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout) as Features;
}

describe("features.md", () => {
  conformanceTest("names versions that config.json may have", [], async (runtime) => {
    const { ociVersionMin, ociVersionMax } = await featuresOf(runtime);

    expect(Bun.semver.order(ociVersionMin, ociVersionMax)).not.toBe(1);
    for (const ociVersion of [ociVersionMin, ociVersionMax]) {
      expect(await runtime.output({ ociVersion, sh: "echo ran" })).toBe("ran\n");
    }
  });

  conformanceTest("has no property that the specification does not define", [], async (runtime) => {
    const features = await featuresOf(runtime);

    const undefinedOnes = Object.entries(DEFINED).flatMap(([place, names]) => {
      const object = place
        .split(".")
        .reduce<unknown>((at, key) => (key === "" ? at : (at as Json)?.[key]), features);
      return Object.keys(object ?? {})
        .filter((name) => !names.includes(name))
        .map((name) => `${place}.${name}`);
    });
    expect(undefinedOnes).toEqual([]);
  });

  conformanceTest("names hooks that are run", [], async (runtime) => {
    const { hooks = [] } = await featuresOf(runtime);
    const hook = { path: "/bin/true" };

    const output = await runtime.output({
      sh: "echo ran",
      hooks: Object.fromEntries(hooks.map((name) => [name, [hook]])),
    });

    expect(hooks.length).toBeGreaterThan(0);
    expect(output).toBe("ran\n");
  });

  conformanceTest("names mount options that are known", [], async (runtime) => {
    const { mountOptions = [] } = await featuresOf(runtime);
    // These say how to mount, which their own tests show.
    const apart = [
      "bind",
      "rbind",
      "remount",
      "idmap",
      "ridmap",
      "tmpcopyup",
      "copy-symlink",
      "src-nofollow",
      "dest-nofollow",
    ];
    // The kernel refuses these two for a tmpfs or takes them for its own.
    const refused = ["acl", "noacl", "mand", "nomand"];
    const options = mountOptions.filter((name) => ![...apart, ...refused].includes(name));

    const mounts = options.map((option) => ({
      destination: `/srv/${option}`,
      type: "tmpfs",
      source: "x",
      options: [option],
    }));

    expect(options.length).toBeGreaterThan(30);
    expect(
      await runtime.output({ sh: "grep -c ' /srv/' /proc/mounts", mounts: [...MOUNTS, ...mounts] }),
    ).toBe(`${options.length}\n`);
  });

  conformanceTest("has annotations that are strings under names", [], async (runtime) => {
    const { annotations = {} } = await featuresOf(runtime);

    for (const [key, value] of Object.entries(annotations))
      expect([key !== "", typeof value]).toEqual([true, "string"]);
  });
});

describe("features-linux.md", () => {
  conformanceTest("names namespaces that are known", ["user namespaces"], async (runtime) => {
    const { namespaces = [] } = (await featuresOf(runtime)).linux ?? {};
    const types = namespaces.filter((type) => type !== "user");

    const output = await runtime.output({
      sh: "echo ran",
      linux: { namespaces: types.map((type) => ({ type })) },
    });

    expect(types.length).toBeGreaterThan(5);
    expect(output).toBe("ran\n");
  });

  conformanceTest("names capabilities that are known", [], async (runtime) => {
    const { capabilities = [] } = (await featuresOf(runtime)).linux ?? {};
    const bundle = await runtime.bundle({
      sh: "echo ran",
      process: { capabilities: { bounding: capabilities } },
    });

    const { stdout, stderr } = await runtime.run(bundle);

    expect(capabilities.length).toBeGreaterThan(38);
    expect(stdout).toBe("ran\n");
    expect(stderr + runtime.messages()).not.toMatch(/unknown/i);
  });

  conformanceTest(
    "names actions, operators and architectures of seccomp that are known",
    [],
    async (runtime) => {
      const { actions = [], operators = [], archs = [] } = (await featuresOf(runtime)).linux?.seccomp ?? {};
      // A listener has tests of its own.
      const plain = actions.filter((action) => action !== "SCMP_ACT_NOTIFY");
      const names = ["swapon"];
      const syscalls = [
        ...plain
          .map((action) => ({ names, action, args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] }))
          .slice(0, 1),
        ...operators.map((op, value) => ({
          names: ["swapoff"],
          action: "SCMP_ACT_ERRNO",
          args: [{ index: 0, value, valueTwo: 0, op }],
        })),
      ];

      for (const action of plain) {
        const seccomp = {
          defaultAction: "SCMP_ACT_ALLOW",
          architectures: archs.filter((name) => !BIG_ENDIAN.test(name)),
          syscalls: [{ names, action }, ...syscalls.slice(1)],
        };
        if (action === "SCMP_ACT_ALLOW") continue;
        expect(await runtime.output({ sh: "echo ran", linux: { seccomp } })).toBe("ran\n");
      }
      expect([plain.length > 6, operators.length, archs.length > 1]).toEqual([true, 7, true]);
    },
  );

  conformanceTest("names flags of seccomp that are supported", [], async (runtime) => {
    const { supportedFlags = [], knownFlags = [] } = (await featuresOf(runtime)).linux?.seccomp ?? {};
    const syscalls = [{ names: ["swapon"], action: "SCMP_ACT_ERRNO" }];

    expect(knownFlags).toEqual(expect.arrayContaining([...supportedFlags]));
    for (const flag of supportedFlags.filter((name) => !name.includes("WAIT_KILLABLE"))) {
      const seccomp = { defaultAction: "SCMP_ACT_ALLOW", flags: [flag], syscalls };
      expect(await runtime.output({ sh: "echo ran", linux: { seccomp } })).toBe("ran\n");
    }
  });

  conformanceTest("says that mappings of mounts are known", [], async (runtime) => {
    const { mountExtensions } = (await featuresOf(runtime)).linux ?? {};

    expect(mountExtensions?.idmap?.enabled).toBe(true);
  });

  conformanceTest("names memory policies that are known", [], async (runtime) => {
    const { modes = [], flags = [] } = (await featuresOf(runtime)).linux?.memoryPolicy ?? {};

    expect([modes.length, flags.length]).toEqual([7, 3]);
    for (const mode of modes.filter((name) => !name.includes("WEIGHTED"))) {
      const nodes = ["MPOL_DEFAULT", "MPOL_LOCAL"].includes(mode) ? {} : { nodes: "0" };
      const linux = { memoryPolicy: { mode, ...nodes } };
      expect({ mode, output: await runtime.output({ sh: "echo ran", linux }) }).toEqual({
        mode,
        output: "ran\n",
      });
    }
  });
});
