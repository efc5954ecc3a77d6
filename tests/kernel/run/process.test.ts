/** What a command sees of itself: its process, its capabilities, its descriptors. */
import { describe, expect } from "bun:test";
import { kernelTest } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

/** facts of podman's eleven: SECURITY.md, Capabilities. */
const DEFAULT_MASK = "00000000800405fb";
const NONE = "0000000000000000";

describe("the command of a container", () => {
  kernelTest("is process 1 and has no parent", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("echo $$ $PPID; ls -d /proc/[0-9]*");

    expect(output).toMatch(/^1 0\n\/proc\/1\n(\/proc\/\d+\n)?$/);
  });

  kernelTest("has the descriptors 0, 1 and 2 and no other", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout } = await app.run([], ["/bin/ls", "/proc/self/fd"]);

    // 3 is the directory that ls itself reads.
    expect(stdout).toBe("0\n1\n2\n3\n");
  });

  kernelTest("blocks and ignores no signal", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const status = await statusOf(app, []);

    expect([status["SigBlk"], status["SigIgn"]]).toEqual([NONE, NONE]);
  });

  kernelTest(
    "has the default capabilities, none of them inheritable or ambient",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);

      const status = await statusOf(app, []);

      expect(status).toMatchObject({
        CapInh: NONE,
        CapAmb: NONE,
        CapPrm: DEFAULT_MASK,
        CapEff: DEFAULT_MASK,
        CapBnd: DEFAULT_MASK,
      });
    },
  );

  kernelTest(
    "has no capabilities as another user, and only the bounding set is kept",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);

      const status = await statusOf(app, ["-u", "1000"]);

      expect(status).toMatchObject({
        CapInh: NONE,
        CapAmb: NONE,
        CapPrm: NONE,
        CapEff: NONE,
        CapBnd: DEFAULT_MASK,
      });
    },
  );

  kernelTest("can gain no privileges and is filtered", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const status = await statusOf(app, []);

    expect(status).toMatchObject({ NoNewPrivs: "1", Seccomp: "2", Seccomp_filters: "1" });
  });

  kernelTest(
    "has the environment of image and options, and nothing of the caller's",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox, { config: { Env: ["PATH=/bin", "A=image"] } });

      const { stdout } = await app.run(["--hostname", "box", "-e", "B=option"], ["/bin/env"], {
        env: { SECRET: "of the caller" },
      });

      expect(stdout.trim().split("\n").sort()).toEqual([
        "A=image",
        "B=option",
        "HOME=/root",
        "HOSTNAME=box",
        "PATH=/bin",
      ]);
    },
  );

  kernelTest("is in namespaces of its own but for the network", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const names = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

    const inside = await app.sh(names.map((name) => `readlink /proc/self/ns/${name}`).join(";"));

    const outside = Bun.spawnSync([
      "readlink",
      ...names.map((name) => `/proc/self/ns/${name}`),
    ]).stdout.toString();
    const own = outside.trim().split("\n");
    const shared = inside
      .trim()
      .split("\n")
      .filter((link) => own.includes(link));
    expect(shared).toEqual([own[names.indexOf("net")] as string]);
  });

  kernelTest("has a control group namespace that shows its group as the root", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const groups = await app.sh("cat /proc/self/cgroup");

    expect(groups).toMatch(/(:pids:\/\n|0::\/\n)/);
    expect(groups).not.toContain("bunker-");
  });
});

/** /proc/self/status by field. */
async function statusOf(app: App, flags: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await app.run(flags, ["/bin/cat", "/proc/self/status"]);
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(":\t") as [string, string]),
  );
}
