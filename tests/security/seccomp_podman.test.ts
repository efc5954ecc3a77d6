/** bunker's default profile against the one that Debian installs for podman: never looser. */

import { describe, expect, test } from "bun:test";
import { bundleFilter } from "../../src/runtime/security/bundle_filter.ts";
import {
  capabilityMask,
  capabilityNames,
  DEFAULT_CAPABILITIES,
} from "../../src/runtime/security/capability.ts";
import { defaultPolicy } from "../../src/runtime/security/default_profile.ts";
import { SECCOMP_ARCHES } from "../../src/runtime/security/seccomp_arch.ts";
import {
  isPermissive,
  type Policy,
  type SeccompArchName,
} from "../../src/runtime/security/seccomp_policy.ts";
import { parseSeccompText } from "../../src/runtime/security/seccomp_profile.ts";
import { resolveProfile } from "../../src/runtime/security/seccomp_resolve.ts";
import { readProgram, runProgram } from "../helpers/bpf_program.ts";
import { compileWithLibseccomp, libseccompMissing } from "../helpers/libseccomp.ts";
import { interpreterOf } from "../helpers/policy_interpreter.ts";
import { probesOf } from "../helpers/random_policy.ts";

/** From Debian's golang-github-containers-common. */
const PODMAN_PROFILE = "/usr/share/containers/seccomp.json";
const installed = await Bun.file(PODMAN_PROFILE).exists();
const title = (text: string): string =>
  installed ? text : `skipped: ${PODMAN_PROFILE} is not installed: ${text}`;

/** Calls younger than Debian 12's profile of 2022, allowed by podman since, or (uprobes) reserved for the kernel. */
const YOUNGER =
  `futex_waitv cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount
  listmount mseal setxattrat getxattrat listxattrat removexattrat file_getattr file_setattr uretprobe uprobe`.split(
    /\s+/,
  );

/** What a capability opens here and not in that profile, which knows SYS_ADMIN alone for these. */
const OPENED_BY: Readonly<Record<string, readonly string[]>> = {
  CAP_SYS_ADMIN: [
    "open_tree_attr",
    "quotactl_fd",
    "lsm_get_self_attr",
    "lsm_set_self_attr",
    "lsm_list_modules",
  ],
  CAP_BPF: ["bpf"],
  CAP_PERFMON: ["perf_event_open"],
  CAP_SYS_NICE: ["set_mempolicy_home_node"],
};

const ARCHES = [
  ["amd64", "X86_64"],
  ["arm64", "AARCH64"],
  ["386", "X86"],
] as const;

describe("defaultPolicy()", () => {
  test.skipIf(!installed).each(ARCHES)(
    title("allows nothing on %s that podman's profile refuses"),
    async (arch, name) => {
      const reference = await podmanPolicy(arch, { name, capabilities: DEFAULT_CAPABILITIES });
      const policy = defaultPolicy({ capabilities: DEFAULT_CAPABILITIES, architectures: [name] });

      const looser = callsLooserThan(reference, policy);

      expect(looser.filter((call) => !YOUNGER.includes(call))).toEqual([]);
    },
  );

  test
    .skipIf(!installed)
    .each([
      "CAP_SYS_ADMIN",
      "CAP_SYS_PTRACE",
      "CAP_SYS_BOOT",
      "CAP_SYS_MODULE",
      "CAP_SYS_PACCT",
      "CAP_SYS_RAWIO",
      "CAP_SYS_NICE",
      "CAP_SYS_TIME",
      "CAP_SYS_TTY_CONFIG",
      "CAP_DAC_READ_SEARCH",
      "CAP_AUDIT_WRITE",
      "CAP_SYSLOG",
      "CAP_BPF",
      "CAP_PERFMON",
      "CAP_NET_ADMIN",
    ])(title("opens with %s no more than podman's profile does"), async (capability) => {
    const capabilities = DEFAULT_CAPABILITIES | capabilityMask([capability]);
    const reference = await podmanPolicy("amd64", { name: "X86_64", capabilities });
    const policy = defaultPolicy({ capabilities, architectures: ["X86_64"] });

    const looser = callsLooserThan(reference, policy);

    const expected = [...YOUNGER, ...(OPENED_BY[capability] ?? [])];
    expect(looser.filter((call) => !expected.includes(call))).toEqual([]);
  });
});

async function podmanPolicy(
  arch: "amd64" | "arm64" | "386",
  { name, capabilities }: { readonly name: SeccompArchName; readonly capabilities: bigint },
): Promise<Policy> {
  const profile = parseSeccompText(await Bun.file(PODMAN_PROFILE).text());
  const policy = resolveProfile(profile, { arch, capabilities, kernel: { major: 6, minor: 1 } });
  return { ...policy, architectures: [name] };
}

/** Names of the calls that `policy` lets through for some argument with which `reference` does not. */
function callsLooserThan(reference: Policy, policy: Policy): string[] {
  const [name] = policy.architectures;
  if (name === undefined) return [];
  const { numbers, auditArch } = SECCOMP_ARCHES[name];
  const [ours, theirs] = [interpreterOf(policy), interpreterOf(reference)];
  const both = { ...policy, rules: [...policy.rules, ...reference.rules] };
  return Object.entries(numbers)
    .filter(([, nr]) =>
      probesOf(both, { nr, arch: auditArch }).some(
        (probe) => isPermissive(ours(probe)) && !isPermissive(theirs(probe)),
      ),
    )
    .map(([call]) => call);
}

/** Newest number that every libseccomp since 2.5.4 has in its tables: process_mrelease; and those of x32 alone. */
const isKnownToOracle = (number: number): boolean => number <= 448 || number >= 512;

describe("bundleFilter()", () => {
  test.skipIf(!installed || libseccompMissing() !== undefined).each(["X86_64", "X86", "X32"] as const)(
    title("decides for podman's default profile as libseccomp does on %s"),
    async (arch) => {
      const { filter, policy } = bundleFilter(await podmanBundleProfile(), "X86_64");
      const { numbers, base, auditArch } = SECCOMP_ARCHES[arch];
      const rules = policy.rules.flatMap((rule) => {
        const names = rule.names.filter((name) => isKnownToOracle(numbers[name] ?? 500));
        return names.length === 0 ? [] : [{ ...rule, names }];
      });

      const [reference = []] = await compileWithLibseccomp([{ ...policy, arch, rules }]);

      const program = readProgram(filter);
      for (const number of Array.from({ length: 560 }, (_, nr) => nr).filter(isKnownToOracle)) {
        for (const probe of probesOf(policy, { nr: number + base, arch: auditArch })) {
          const [ret, wanted] = [runProgram(program, probe), runProgram(reference, probe)];
          if (ret !== wanted) expect({ probe, ret }).toEqual({ probe, ret: wanted });
        }
      }
    },
  );
});

/** What podman makes of its profile for a bundle of a container with the default capabilities. */
async function podmanBundleProfile(): Promise<object> {
  const profile = JSON.parse(await Bun.file(PODMAN_PROFILE).text()) as PodmanProfile;
  const held = capabilityNames(DEFAULT_CAPABILITIES);
  const syscalls = profile.syscalls.filter(
    ({ includes = {}, excludes = {} }) =>
      (includes.caps ?? []).every((name) => held.includes(name)) &&
      (includes.arches ?? ["amd64"]).includes("amd64") &&
      !(excludes.caps ?? []).some((name) => held.includes(name)) &&
      !(excludes.arches ?? []).includes("amd64"),
  );
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: syscalls.map(({ includes: _, excludes: __, ...rule }) => rule),
  };
}

interface Gate {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
}

interface PodmanProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly syscalls: ReadonlyArray<{ readonly includes?: Gate; readonly excludes?: Gate }>;
}
