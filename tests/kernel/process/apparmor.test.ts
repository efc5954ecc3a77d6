import { describe, expect } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { failureError } from "../../../src/linux/failure.ts";
import {
  executableOf,
  finishProgram,
  inheritedFd,
  programWithReport,
  spawnProgram,
} from "../../../src/linux/spawn.ts";
import { pollForExit } from "../../../src/linux/wait.ts";
import { planAppArmor, readSecurityModules } from "../../../src/runtime/process/labels.ts";
import { planPrivateProc } from "../../../src/runtime/process/private_proc.ts";
import { AppArmorProfile } from "../../helpers/apparmor_profile.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

describe("planAppArmor()", () => {
  kernelTest("confines the command by the profile", ["apparmor"], async (sandbox) => {
    const [secret, open] = [`${sandbox.directory}/secret`, `${sandbox.directory}/open`];
    writeFileSync(secret, "secret\n");
    writeFileSync(open, "open\n");
    using profile = new AppArmorProfile(`deny ${secret} rwl,`);

    const script = `cat /proc/self/attr/current; cat ${open}; cat ${secret}`;
    const { output, failure } = await runWithProfile(sandbox, profile.name, script);

    expect(failure).toBeUndefined();
    expect(output).toBe(`${profile.name} (enforce)\nopen\ncat: ${secret}: Permission denied\n`);
  });

  kernelTest("fails for a profile that is not loaded", ["apparmor"], async (sandbox) => {
    const { output, failure } = await runWithProfile(sandbox, "bunker-missing", "echo started");

    expect(output).toBe("");
    expect(failure).toContain('apply the AppArmor profile "bunker-missing"');
    expect(failure).toMatch(/ENOENT|EINVAL/);
  });

  kernelTest("fails where a longer name begins with it", ["apparmor"], async (sandbox) => {
    using profile = new AppArmorProfile("");

    const { failure } = await runWithProfile(sandbox, profile.name.slice(0, -1), "echo started");

    expect(failure).toMatch(/ENOENT|EINVAL/);
  });

  kernelTest("leaves a command without profile unconfined", ["apparmor"], async (sandbox) => {
    for (const name of ["", "unconfined"]) {
      const { output, failure } = await runWithProfile(sandbox, name, "cat /proc/self/attr/current");

      expect(failure).toBeUndefined();
      expect(output).toBe("unconfined\n");
    }
  });
});

async function runWithProfile(
  { directory }: Sandbox,
  profile: string,
  script: string,
): Promise<{ readonly output: string; readonly failure: string | undefined }> {
  const program = programWithReport();
  const proc = planPrivateProc(program, { full: false });
  planAppArmor(program, profile, { proc, modules: readSecurityModules() });
  program.section("execute");
  for (const fd of [1, 2]) program.dup3(inheritedFd(0), fd);
  program.close_range(3, 0xffffffff, 0);
  program.execve("/bin/sh", ["sh", "-c", script], ["PATH=/usr/bin:/bin"]);
  const file = `${directory}/output`;
  const fd = openSync(file, "w");
  const started = spawnProgram(executableOf(finishProgram(program)), { namespaces: 0, inherit: [fd] });
  closeSync(fd);
  try {
    await pollForExit(started.pidfd);
    const failure = await started.failure();
    return {
      output: readFileSync(file, "utf8"),
      failure:
        failure === undefined ? undefined : `${failure.step.purpose}: ${failureError(failure).message}`,
    };
  } finally {
    started.release();
  }
}
