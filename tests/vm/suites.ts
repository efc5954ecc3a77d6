/** What is run in a virtual machine: for each machine, tests of this repository that its kernel shows more of. */
import type { Need } from "../helpers/requires.ts";

/** A machine by the first process of its guest. */
export interface Machine {
  readonly name: "plain" | "systemd";
  /** Command line of the kernel. */
  readonly kernel: readonly string[];
  /** What it is for: a test that is skipped in it because it lacks one of these has failed. */
  readonly has: readonly Need[];
  /** Test files or folders, from the repository's root, and variables of their environment: `tests/a A=b`. */
  readonly suites: readonly string[];
}

const HAS: readonly Need[] = [
  "root",
  "x86-64",
  "user namespaces",
  "overlayfs",
  "cgroup v2",
  "apparmor",
  "disk quotas",
];

/** What depends on the version of control groups, on AppArmor, or on the kernel; emulated, all would take too long. */
const BUNDLE_TESTS = [
  "checkpoint",
  "exec_place",
  "group",
  "hooks",
  "process",
  "rootfs_cgroup",
  "seccomp",
  "states",
];

/**
 * `plain` has nothing but the tests: every controller of the one hierarchy of control groups is theirs. In `systemd` the
 * tests are a service.
 */
export const machines: readonly Machine[] = [
  {
    name: "plain",
    kernel: ["init=/usr/local/lib/bunker-tests/init"],
    has: HAS,
    suites: [
      "tests/kernel/run/limits.test.ts",
      "tests/kernel/run/privileges.test.ts",
      "tests/kernel/run/filesystem.test.ts",
      "tests/kernel/cgroup",
      "tests/kernel/image/quota.test.ts",
      ...BUNDLE_TESTS.map((name) => `tests/kernel/bundle/${name}.test.ts`),
      "tests/conformance/config_apparmor.test.ts",
      "tests/conformance/linux_cgroups.test.ts RUNTIME=bunker",
      "tests/conformance/linux_resources.test.ts RUNTIME=bunker",
    ],
  },
  {
    name: "systemd",
    kernel: [
      "init=/usr/lib/systemd/systemd",
      "systemd.unit=bunker-tests.service",
      "systemd.firstboot=off",
      "systemd.show_status=off",
    ],
    has: [...HAS, "systemd", "user systemd"],
    suites: ["tests/kernel/run/limits.test.ts", "tests/kernel/cgroup"],
  },
];
