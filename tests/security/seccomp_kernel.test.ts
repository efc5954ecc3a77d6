/** The kernel takes the compiled filters and does what they say. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SYSCALLS_X86_64 } from "../../src/linux/abi/syscalls_x86_64.ts";
import { DEFAULT_CAPABILITIES } from "../../src/runtime/security/capability.ts";
import { seccompFilter } from "../../src/runtime/security/seccomp_filter.ts";
import { parseSeccompProfile } from "../../src/runtime/security/seccomp_profile.ts";

const CHILD = new URL("../helpers/seccomp_child.py", import.meta.url).pathname;
const missing =
  process.arch !== "x64"
    ? "needs x86-64"
    : Bun.which("python3") === null
      ? "python3 is not installed"
      : undefined;
const title = (text: string): string => (missing === undefined ? text : `skipped: ${missing}: ${text}`);

const EPERM = -1;
const EBADF = -9;
const ENOSYS = -38;
const EAFNOSUPPORT = -97;
const SIGSYS = "signal 31";
const CLONE_NEWUSER = 0x1000_0000;
const CLONE_NEWNS = 0x2_0000;
const SIGCHLD = 17;

const directory = await mkdtemp(join(tmpdir(), "bunker-seccomp-"));
afterAll(() => rm(directory, { recursive: true }));

type Call = readonly [name: string | number, ...args: number[]];

describe("the default filter in the kernel", () => {
  test.skipIf(missing !== undefined)(title("is active in the process that loaded it"), async () => {
    expect(await answersOf([["status"]])).toEqual(["2"]);
  });

  test.skipIf(missing !== undefined).each([
    ["unshare of a user namespace", ["unshare", CLONE_NEWUSER], EPERM],
    ["clone of a mount namespace", ["clone", CLONE_NEWNS | SIGCHLD], EPERM],
    ["mount", ["mount", 0, 0, 0, 0, 0], EPERM],
    ["keyctl", ["keyctl", 0, 0], EPERM],
    ["bpf", ["bpf", 0, 0, 0], EPERM],
    ["io_uring_setup", ["io_uring_setup", 1, 0], ENOSYS],
    ["clone3", ["clone3", 0, 0], ENOSYS],
    ["a number of the future", [470], ENOSYS],
    ["a number that no table has", [400], ENOSYS],
    ["a number of the x32 ABI", [0x4000_0000 + 39], ENOSYS],
    ["a socket of AF_ALG", ["socket", 38, 5, 0], EAFNOSUPPORT],
    ["a socket of AF_ALG behind a high bit", ["socket", 2 ** 32 + 38, 5, 0], EAFNOSUPPORT],
    ["a socket of AF_VSOCK", ["socket", 40, 1, 0], EAFNOSUPPORT],
    ["TIOCSTI", ["ioctl", 0, 0x5412, 0], EPERM],
    ["TIOCSTI behind a high bit", ["ioctl", 0, 2 ** 32 + 0x5412, 0], EPERM],
    ["a personality without address randomization", ["personality", 0x4_0000], EPERM],
  ] as const)(title("refuses %s"), async (_, call, errno) => {
    expect(await answersOf([call])).toEqual([errno]);
  });

  test.skipIf(missing !== undefined)(title("lets ordinary calls through to the kernel"), async () => {
    const [pid, personality, closed, socket] = await answersOf([
      ["getpid"],
      ["personality", 0xffff_ffff],
      ["close", -1],
      ["socket", 1, 1, 0],
    ]);

    expect(pid).toBeGreaterThan(0);
    expect(personality).toBeGreaterThanOrEqual(0);
    expect(closed).toBe(EBADF);
    expect(socket).toBeGreaterThan(0);
  });

  test.skipIf(missing !== undefined)(title("kills a process that enters by the 32-bit gate"), async () => {
    expect(await answersOf([["int80"]])).toEqual([SIGSYS]);
  });
});

describe("the filter of a 386 image in the kernel", () => {
  test.skipIf(missing !== undefined)(title("allows both entries"), async () => {
    const [narrow, wide] = await answersOf([["int80"], ["getpid"]], { arch: "386" });

    // SIGSEGV where the kernel has no 32-bit gate at all: the filter is then not asked.
    expect(narrow).not.toBe(SIGSYS);
    expect(wide).toBeGreaterThan(0);
  });
});

describe("the filter of a user's profile in the kernel", () => {
  test.skipIf(missing !== undefined)(title("refuses by argument what it names"), async () => {
    const profile = parseSeccompProfile({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [
        {
          names: ["getpriority"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 42,
          args: [{ index: 0, value: 2, op: "SCMP_CMP_EQ" }],
        },
      ],
    });

    const [user, own] = await answersOf(
      [
        ["getpriority", 2, 0],
        ["getpriority", 0, 0],
      ],
      { profile },
    );

    expect(user).toBe(-42);
    expect(own).toBeGreaterThan(0);
  });
});

/** What the kernel answers to calls by name or number under a filter. */
async function answersOf(
  calls: readonly Call[],
  changes: Partial<Parameters<typeof seccompFilter>[0]> = {},
): Promise<unknown[]> {
  const program = await seccompFilter({
    profile: "default",
    capabilities: DEFAULT_CAPABILITIES,
    arch: "amd64",
    kernel: { major: 6, minor: 1 },
    ...changes,
  });
  const file = join(directory, "filter");
  await Bun.write(file, program);
  const numbered = calls.map(([name, ...args]) => [
    typeof name === "number" ? name : (SYSCALLS_X86_64[name] ?? name),
    ...args,
  ]);
  const child = Bun.spawn(["python3", CHILD, file, JSON.stringify(numbered)]);
  return (await new Response(child.stdout).json()) as unknown[];
}
