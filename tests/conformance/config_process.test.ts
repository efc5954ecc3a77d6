/** config.md, Process: working directory, environment, arguments, and the attributes of Linux. */
import { describe, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { CAPABILITIES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

describe("config.md#process", () => {
  conformanceTest("starts in cwd", [], async (runtime) => {
    expect(await runtime.output({ sh: "pwd", process: { cwd: "/srv" } })).toBe("/srv\n");
  });

  conformanceTest("refuses a cwd that is not absolute", [], async (runtime) => {
    await runtime.refusal({ process: { cwd: "srv" } });
  });

  conformanceTest("refuses a process without cwd", [], async (runtime) => {
    await runtime.refusal({ process: { cwd: null } });
  });

  conformanceTest("has the environment that is listed and no other", [], async (runtime) => {
    const env = ["PATH=/bin", "EMPTY=", "TWO=a=b", "SPACE=a b"];

    const output = await runtime.output({ process: { args: ["/bin/env"], env } });

    const seen = output.trim().split("\n");
    expect(seen.filter((line) => !line.startsWith("HOME=")).sort()).toEqual([...env].sort());
  });

  conformanceTest("finds its program in the PATH of its environment", [], async (runtime) => {
    const bundle = await runtime.bundle({ process: { args: ["tool", "x"], env: ["PATH=/none:/srv:/bin"] } });
    writeFileSync(`${bundle.root}/srv/tool`, '#!/bin/sh\necho "$0 $1"\n', { mode: 0o755 });

    expect(await runtime.outputOf(bundle)).toBe("/srv/tool x\n");
  });

  conformanceTest("keeps the first argument as it was given", [], async (runtime) => {
    const args = [
      "sh",
      "-c",
      "tr '\\0' ' ' < /proc/self/cmdline; tr '\\0' ' ' < /proc/$$/cmdline | cut -c1-3",
    ];

    expect(await runtime.output({ process: { args } })).toContain("sh ");
  });

  conformanceTest("refuses no arguments at all", [], async (runtime) => {
    const bundle = await runtime.bundle({ process: { args: [] } });
    const created = await runtime.tryCreate(bundle);
    const started =
      created.exitCode === 0 && (await runtime.detached(bundle, "start", bundle.id)).exitCode === 0;

    expect(started).toBe(false);
  });

  conformanceTest("that has no program is an error at create or start", [], async (runtime) => {
    for (const args of [["/bin/missing"], ["missing"], ["/srv"]]) {
      const bundle = await runtime.bundle({ process: { args } });
      const created = await runtime.tryCreate(bundle);
      const started =
        created.exitCode === 0 && (await runtime.detached(bundle, "start", bundle.id)).exitCode === 0;

      expect({ args, started }).toEqual({ args, started: false });
    }
  });

  conformanceTest("ignores consoleSize without a terminal", [], async (runtime) => {
    const consoleSize = { height: 10, width: 20 };

    expect(await runtime.output({ sh: "tty; true", process: { consoleSize } })).toBe("not a tty\n");
  });
});

describe("config.md#linux-process: capabilities", () => {
  const status = (name: string): string => `grep ^${name}: /proc/self/status | cut -f2`;

  conformanceTest("are those of each set", [], async (runtime) => {
    const capabilities = {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_CHOWN"],
      inheritable: ["CAP_KILL"],
      ambient: [],
    };
    const sh = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(status).join("; ");

    const output = await runtime.output({ sh, process: { capabilities } });

    // Root's execve: permitted = inheritable or bounding, effective = all of them (capabilities(7)).
    expect(
      output
        .trim()
        .split("\n")
        .map((word) => Number.parseInt(word, 16)),
    ).toEqual([0x20, 0xa1, 0xa1, 0xa1, 0]);
  });

  conformanceTest("of a user are the ambient ones", [], async (runtime) => {
    const sets = ["bounding", "permitted", "effective", "inheritable", "ambient"];
    const capabilities = Object.fromEntries(sets.map((set) => [set, ["CAP_CHOWN", "CAP_KILL"]]));
    const sh = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(status).join("; ");

    const output = await runtime.output({ sh, process: { user: { uid: 1000, gid: 1000 }, capabilities } });

    expect(
      output
        .trim()
        .split("\n")
        .map((word) => Number.parseInt(word, 16)),
    ).toEqual([0x21, 0x21, 0x21, 0x21, 0x21]);
  });

  conformanceTest("of a user are none when none is ambient", [], async (runtime) => {
    const sh = ["CapPrm", "CapEff", "CapAmb"].map(status).join("; ");

    const output = await runtime.output({ sh, process: { user: { uid: 1000, gid: 1000 } } });

    expect(output).toBe(`${"0".repeat(16)}\n`.repeat(3));
  });

  conformanceTest("that are not known are a warning and no error", [], async (runtime) => {
    const capabilities = { bounding: [...CAPABILITIES, "CAP_NO_SUCH"] };

    const { exitCode, stdout, stderr } = await runtime.run(
      await runtime.bundle({ sh: "echo ran", process: { capabilities } }),
    );

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "ran\n" });
    expect(stderr + runtime.messages()).toContain("CAP_NO_SUCH");
  });

  conformanceTest("that cannot be given are a warning and no error", [], async (runtime) => {
    if (hasSysResource()) return;
    const capabilities = Object.fromEntries(
      ["bounding", "effective", "permitted"].map((set) => [set, ["CAP_CHOWN", "CAP_SYS_RESOURCE"]]),
    );

    const bundle = await runtime.bundle({ sh: status("CapEff"), process: { capabilities } });
    const { exitCode, stdout, stderr } = await runtime.run(bundle);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "0000000000000001\n" });
    expect(stderr + runtime.messages()).toContain("CAP_SYS_RESOURCE");
  });
});

/** Whether this test's own process may have CAP_SYS_RESOURCE: then nothing is there that cannot be given. */
function hasSysResource(): boolean {
  const bounding = /^CapBnd:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${bounding}`) & (1n << 24n)) !== 0n;
}

describe("config.md#linux-process", () => {
  conformanceTest("noNewPrivileges is set when it is asked for, and only then", [], async (runtime) => {
    const sh = "grep NoNewPrivs /proc/self/status | cut -f2";

    expect(await runtime.output({ sh, process: { noNewPrivileges: true } })).toBe("1\n");
    expect(await runtime.output({ sh, process: { noNewPrivileges: false } })).toBe("0\n");
    expect(await runtime.output({ sh })).toBe("0\n");
  });

  conformanceTest("oomScoreAdj is set when it is given", [], async (runtime) => {
    for (const oomScoreAdj of [100, 1000]) {
      const output = await runtime.output({ sh: "cat /proc/self/oom_score_adj", process: { oomScoreAdj } });
      expect(output).toBe(`${oomScoreAdj}\n`);
    }
  });

  conformanceTest("oomScoreAdj is not changed when it is not given", [], async (runtime) => {
    const own = readFileSync("/proc/self/oom_score_adj", "utf8");

    expect(await runtime.output({ sh: "cat /proc/self/oom_score_adj" })).toBe(own);
  });

  conformanceTest("oomScoreAdj out of bounds is refused", [], async (runtime) => {
    await runtime.refusal({ process: { oomScoreAdj: 1001 } });
  });

  conformanceTest("scheduler sets policy and nice value", [], async (runtime) => {
    const scheduler = { policy: "SCHED_BATCH", nice: 7 };
    // proc_pid_stat(5): policy is the 41st field, the nice value the 19th.
    const sh = "cut -d' ' -f19,41 /proc/self/stat";

    const output = await runtime.output({ sh, process: { scheduler } });

    expect(output).toBe("7 3\n");
  });

  conformanceTest("scheduler with a policy that does not exist is refused", [], async (runtime) => {
    await runtime.refusal({ process: { scheduler: { policy: "SCHED_NO_SUCH" } } });
  });

  conformanceTest("ioPriority sets class and priority", [], async (runtime) => {
    const ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 };

    expect(await runtime.output({ sh: "ionice", process: { ioPriority } })).toBe("best-effort: prio 6\n");
  });

  conformanceTest("ioPriority with a class that does not exist is refused", [], async (runtime) => {
    await runtime.refusal({ process: { ioPriority: { class: "IOPRIO_CLASS_NO_SUCH", priority: 0 } } });
  });

  conformanceTest("execCPUAffinity final is where an exec runs", [], async (runtime) => {
    const container = await runtime.start({ process: { args: ["/bin/sleep", "60"] } });
    const file = `${runtime.directory}/process.json`;
    const process = {
      cwd: "/",
      user: { uid: 0, gid: 0 },
      args: ["/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status | cut -f2"],
      env: ["PATH=/bin"],
      execCPUAffinity: { initial: "0", final: "0" },
    };
    writeFileSync(file, JSON.stringify(process));

    const { stdout } = await runtime.command("exec", "--process", file, container.id);

    expect(stdout).toBe("0\n");
  });

  conformanceTest("apparmorProfile without AppArmor in the kernel is refused", [], async (runtime) => {
    if (readOr("/sys/module/apparmor/parameters/enabled").startsWith("Y")) return;
    await runtime.refusal({ process: { apparmorProfile: "no-such-profile" } });
  });
});

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The kernel does not have it.
    return "";
  }
}
