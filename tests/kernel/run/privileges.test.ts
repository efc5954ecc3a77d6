/** `--cap-add`, `--cap-drop`, `--privileged` and `--security-opt`. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { kernelTest } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

const DEFAULT = 0x800405fbn;
const NET_ADMIN = 1n << 12n;
const CHOWN = 1n;

describe("--cap-add and --cap-drop", () => {
  kernelTest("change the default set", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const effective = async (...flags: string[]) =>
      BigInt(`0x${(await app.sh("grep CapEff /proc/self/status", flags)).split("\t")[1]?.trim()}`);

    expect(await effective("--cap-add", "NET_ADMIN", "--cap-drop", "cap_chown")).toBe(
      (DEFAULT | NET_ADMIN) & ~CHOWN,
    );
    expect(await effective("--cap-drop", "ALL")).toBe(0n);
    expect(await effective("--cap-drop", "ALL", "--cap-add", "CHOWN")).toBe(CHOWN);
  });

  kernelTest("refuse an unknown name", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["--cap-add", "NET_ADMN"], ["/bin/true"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain("NET_ADMN");
  });

  kernelTest("decide what the command may do", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    expect(await app.sh("chown 1 /tmp || echo refused", ["--cap-drop", "CHOWN"])).toBe("refused\n");
    expect(await app.sh("chown 1 /tmp || echo refused")).toBe("");
  });
});

describe("--privileged", () => {
  kernelTest("has all capabilities of the caller, no filter, and may mount", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh(
      "mount -t tmpfs tmpfs /tmp && echo mounted; grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status",
      ["--privileged"],
    );

    const all = /^CapBnd:\t(\w+)$/m.exec(await Bun.file("/proc/self/status").text())?.[1];
    expect(output).toBe(`mounted\nCapEff:\t${all}\nNoNewPrivs:\t0\nSeccomp:\t0\n`);
  });
});

describe("a container without further privileges", () => {
  kernelTest(
    "may not mount, unmount, make user namespaces or change the hostname",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const attempts = [
        "mount -t tmpfs tmpfs /tmp",
        "umount /proc",
        "umount /etc/hosts",
        "unshare -U true",
        "unshare -m true",
        "hostname x",
      ];

      const output = await app.sh(
        attempts.map((attempt) => `${attempt} 2>/dev/null || echo refused`).join("\n"),
      );

      expect(output).toBe("refused\n".repeat(attempts.length));
    },
  );
});

describe("--security-opt", () => {
  kernelTest("no-new-privileges=false keeps the filter", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const script = "grep NoNewPrivs /proc/self/status";

    expect(await app.sh(script)).toBe("NoNewPrivs:\t1\n");
    expect(await app.sh(script, ["--security-opt", "no-new-privileges=false"])).toBe("NoNewPrivs:\t0\n");
    expect(
      await app.sh("grep Seccomp: /proc/self/status", ["--security-opt", "no-new-privileges=false"]),
    ).toBe("Seccomp:\t2\n");
  });

  kernelTest("seccomp=unconfined loads no filter, a file its own", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const profile = `${sandbox.directory}/profile.json`;
    const names = ["mkdir", "mkdirat"];
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names, action: "SCMP_ACT_ERRNO", errnoRet: 28 }],
      }),
    );

    const unconfined = await app.sh("grep Seccomp: /proc/self/status", [
      "--security-opt",
      "seccomp=unconfined",
    ]);
    const own = await app.run(["--security-opt", `seccomp=${profile}`], ["/bin/mkdir", "/tmp/x"]);

    expect(unconfined).toBe("Seccomp:\t0\n");
    expect(own.stderr).toContain("No space left on device");
  });

  kernelTest("refuses a profile that cannot be read", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["--security-opt", "seccomp=/missing.json"], ["/bin/true"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain('"/missing.json"');
  });
});
