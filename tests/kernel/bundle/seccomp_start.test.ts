/** What `run` says when the filter of a bundle keeps its command from starting. */
import { describe, expect } from "bun:test";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS = ["root", "the executable", "program busybox"] as const;

describe("run", () => {
  kernelTest("names the call that the filter refuses", NEEDS, async (sandbox) => {
    const result = await runUnder(sandbox, { action: "SCMP_ACT_ERRNO", errnoRet: 13 });

    expect(result.stderr).toContain("the seccomp filter answers execve(2) with SCMP_ACT_ERRNO EACCES");
    expect(result.exitCode).toBe(1);
  });

  kernelTest("names the call that the filter kills for", NEEDS, async (sandbox) => {
    const result = await runUnder(sandbox, { action: "SCMP_ACT_KILL_PROCESS" });

    expect(result.stderr).toContain("the seccomp filter answers execve(2) with SCMP_ACT_KILL_PROCESS");
    expect(result.exitCode).toBe(1);
  });
});

/** Runs a command under a filter with one rule, for execve(2). */
function runUnder(sandbox: Sandbox, rule: object) {
  const bundle = `${sandbox.directory}/bundle`;
  mkdirSync(`${bundle}/rootfs/bin`, { recursive: true });
  for (const name of ["proc", "dev"]) mkdirSync(`${bundle}/rootfs/${name}`);
  cpSync(Bun.which("busybox") ?? "/bin/busybox", `${bundle}/rootfs/bin/busybox`);
  const config = {
    ociVersion: "1.2.0",
    root: { path: "rootfs" },
    process: { cwd: "/", args: ["/bin/busybox", "true"], user: { uid: 0, gid: 0 } },
    linux: {
      namespaces: ["pid", "mount"].map((type) => ({ type })),
      seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["execve"], ...rule }] },
    },
  };
  writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
  const root = `${sandbox.directory}/containers`;
  return sandbox.bunker(["oci", "--root", root, "run", "--bundle", bundle, `seccomp-${process.pid}`]);
}
