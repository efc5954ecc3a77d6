/** What is run in a virtual machine: for each machine, tests of this repository that its kernel shows more of. */
import type { Need } from "../helpers/requires.ts";

/** A machine by the first process of its guest, or by its kernel. */
export interface Machine {
  readonly name: "plain" | "systemd" | "later";
  /** Whether it runs the later one of the kernels. */
  readonly isLater: boolean;
  /** Command line of the kernel. */
  readonly kernel: readonly string[];
  /** What it is for: a test that is skipped in it because it lacks one of these has failed. */
  readonly has: ReadonlyArray<Need | typeof IMAGE_MOUNTS>;
  /** Test files or folders, from the repository's root, and variables of their environment: `tests/a A=b`. */
  readonly suites: readonly string[];
}

/** As titles of tests say it (tests/helpers/layer_sandbox.ts). */
const IMAGE_MOUNTS = "a kernel that mounts EROFS from files";

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

const INIT = "init=/usr/local/lib/bunker-tests/init";
const AS_IMAGES = "BUNKER_TEST_LAYERS=erofs";

/**
 * `plain` has nothing but the tests: every controller of the one hierarchy of control groups is theirs. In `systemd` the
 * tests are a service. `later` is `plain` with the first kernel that mounts layers which are files.
 */
export const machines: readonly Machine[] = [
  {
    name: "plain",
    isLater: false,
    kernel: [INIT],
    has: HAS,
    suites: [
      "tests/kernel/run/limits.test.ts",
      "tests/kernel/run/privileges.test.ts",
      "tests/kernel/run/filesystem.test.ts",
      "tests/kernel/cgroup",
      "tests/kernel/image/quota.test.ts",
      "tests/kernel/image/foreign_store.test.ts",
      ...BUNDLE_TESTS.map((name) => `tests/kernel/bundle/${name}.test.ts`),
      "tests/conformance/config_apparmor.test.ts",
      "tests/conformance/linux_cgroups.test.ts RUNTIME=bunker",
      "tests/conformance/linux_resources.test.ts RUNTIME=bunker",
    ],
  },
  {
    name: "systemd",
    isLater: false,
    kernel: [
      "init=/usr/lib/systemd/systemd",
      "systemd.unit=bunker-tests.service",
      "systemd.firstboot=off",
      "systemd.show_status=off",
    ],
    has: [...HAS, "systemd", "user systemd"],
    suites: ["tests/kernel/run/limits.test.ts", "tests/kernel/cgroup"],
  },
  {
    name: "later",
    isLater: true,
    kernel: [INIT],
    has: [...HAS, IMAGE_MOUNTS],
    suites: [
      "tests/kernel/image/erofs.test.ts",
      "tests/kernel/image/erofs_layers.test.ts",
      "tests/kernel/image/foreign_store.test.ts",
      `tests/cli/image_mount.test.ts ${AS_IMAGES}`,
    ],
  },
];
