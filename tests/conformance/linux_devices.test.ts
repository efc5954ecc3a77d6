/** config-linux.md, Devices and Default Devices; runtime-linux.md, Dev symbolic links. */
import { describe, expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type Json, MOUNTS } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const withDevices = (...devices: readonly Json[]): { readonly linux: Json } => ({ linux: { devices } });
const sleeper = { process: { args: ["/bin/sleep", "60"] } };

describe("config-linux.md#devices", () => {
  conformanceTest("are there with type, numbers, mode and owner", [], async (runtime) => {
    const devices = withDevices(
      { path: "/dev/char", type: "c", major: 10, minor: 229, fileMode: 0o620, uid: 12, gid: 34 },
      { path: "/dev/block", type: "b", major: 7, minor: 0, fileMode: 0o600 },
      { path: "/dev/unbuffered", type: "u", major: 10, minor: 200, fileMode: 0o600 },
    );
    const sh = "stat -c '%n %F %t:%T %a %u:%g' /dev/char /dev/block /dev/unbuffered";

    const output = await runtime.output({ sh, ...devices });

    expect(output.split("\n").slice(0, 3)).toEqual([
      "/dev/char character special file a:e5 620 12:34",
      "/dev/block block special file 7:0 600 0:0",
      "/dev/unbuffered character special file a:c8 600 0:0",
    ]);
  });

  conformanceTest("of type p are pipes", [], async (runtime) => {
    const devices = withDevices({ path: "/dev/pipe", type: "p", fileMode: 0o600 });

    expect(await runtime.output({ sh: "test -p /dev/pipe && echo pipe", ...devices })).toBe("pipe\n");
  });

  conformanceTest("may be anywhere in the root", [], async (runtime) => {
    const devices = withDevices({
      path: "/srv/deep/er/null",
      type: "c",
      major: 1,
      minor: 3,
      fileMode: 0o666,
    });

    expect(
      await runtime.output({ sh: "echo x > /srv/deep/er/null; cat /srv/deep/er/null", ...devices }),
    ).toBe("");
  });

  conformanceTest("whose place holds another file are refused", [], async (runtime) => {
    const bundle = await runtime.bundle({
      ...sleeper,
      ...withDevices({ path: "/srv/null", type: "c", major: 1, minor: 3, fileMode: 0o666 }),
    });
    writeFileSync(`${bundle.root}/srv/null`, "a file");

    await runtime.refusal(bundle);
  });

  conformanceTest("devices of a type that does not exist are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, ...withDevices({ path: "/dev/x", type: "x", major: 1, minor: 3 }) });
  });

  conformanceTest("without a path are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, ...withDevices({ type: "c", major: 1, minor: 3 }) });
  });

  conformanceTest("whose path is no absolute one are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, ...withDevices({ path: "dev/x", type: "c", major: 1, minor: 3 }) });
  });
});

describe("config-linux.md#default-devices", () => {
  conformanceTest("are supplied although nothing lists them", [], async (runtime) => {
    const names = ["null", "zero", "full", "random", "urandom", "tty"];
    const sh = names.map((name) => `stat -c '%n %F %t:%T' /dev/${name}`).join("; ");

    expect(await runtime.output({ sh })).toBe(
      ["null 1:3", "zero 1:5", "full 1:7", "random 1:8", "urandom 1:9", "tty 5:0"]
        .map((line) => `/dev/${line.replace(" ", " character special file ")}\n`)
        .join(""),
    );
  });

  conformanceTest("can be used by everyone", [], async (runtime) => {
    const sh =
      "echo x > /dev/null && head -c 4 /dev/zero | od -An -tx1 && head -c 3 /dev/urandom | wc -c; echo x > /dev/full";
    const bundle = await runtime.bundle({ sh, process: { user: { uid: 1000, gid: 1000 } } });

    const { stdout, stderr } = await runtime.run(bundle);

    expect(stdout).toBe(" 00 00 00 00\n3\n");
    expect(stderr).toContain("No space left on device");
  });

  conformanceTest("have /dev/ptmx of the container's own pseudo-terminals", [], async (runtime) => {
    const sh = "test -c /dev/ptmx && stat -L -c '%t:%T' /dev/ptmx; readlink -f /dev/ptmx";

    expect(await runtime.output({ sh })).toMatch(/^5:2\n\/dev\/(pts\/)?ptmx\n$/);
  });

  conformanceTest("have no /dev/console without a terminal", [], async (runtime) => {
    expect(await runtime.output({ sh: "ls /dev/console 2>/dev/null; true" })).toBe("");
  });
});

describe("runtime-linux.md#dev-symbolic-links", () => {
  conformanceTest("lead from /dev to the descriptors of a process", [], async (runtime) => {
    const sh = "for name in fd stdin stdout stderr; do readlink /dev/$name; done";

    expect(await runtime.output({ sh })).toBe(
      "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n",
    );
  });

  conformanceTest("can be written to", [], async (runtime) => {
    const bundle = await runtime.bundle({ sh: "echo out > /dev/stdout; echo err > /dev/stderr" });

    const { stdout, stderr } = await runtime.run(bundle);

    expect({ stdout, stderr }).toEqual({ stdout: "out\n", stderr: "err\n" });
  });
});

describe("runtime-linux.md#file-descriptors", () => {
  conformanceTest("of the program are 0, 1 and 2 alone", [], async (runtime) => {
    const output = await runtime.output({ process: { args: ["/bin/ls", "/proc/self/fd"] } });

    // The fourth is the directory that ls itself reads.
    expect(output).toBe("0\n1\n2\n3\n");
  });
});

describe("config-linux.md#default-filesystems", () => {
  conformanceTest("are there when they are listed", [], async (runtime) => {
    const mounts = [
      ...MOUNTS,
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777"],
      },
      {
        destination: "/dev/mqueue",
        type: "mqueue",
        source: "mqueue",
        options: ["nosuid", "noexec", "nodev"],
      },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
    ];
    const bundle = await runtime.bundle({
      sh: "cut -d' ' -f2,3 /proc/mounts | tail -n +2 | head -6",
      mounts,
    });
    mkdirSync(`${bundle.root}/sys`, { recursive: true });

    expect(await runtime.outputOf(bundle)).toBe(
      "/proc proc\n/dev tmpfs\n/dev/pts devpts\n/dev/shm tmpfs\n/dev/mqueue mqueue\n/sys sysfs\n",
    );
  });
});
