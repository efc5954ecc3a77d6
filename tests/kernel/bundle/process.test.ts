/** What the kernel makes of the process of a bundle: identity, capabilities, attributes. */
import { describe, expect } from "bun:test";
import { MS_PRIVATE, MS_REC } from "../../../src/linux/abi/mount.ts";
import { CLONE_NEWNS } from "../../../src/linux/abi/sched.ts";
import type { Process } from "../../../src/oci/bundle/config.ts";
import { planSessionKeyring } from "../../../src/runtime/process/keyring.ts";
import { ALL_CAPABILITIES, capabilityNames } from "../../../src/runtime/security/capability.ts";
import { AppArmorProfile } from "../../helpers/apparmor_profile.ts";
import { hostBounding, type ProcessRun, runProcess, statusOf } from "../../helpers/bundle_process.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const NO_MODULES = { apparmor: false, selinux: false };
const STATUS = "cat /proc/self/status";

describe("the user of a process", () => {
  kernelTest("has its ids and its groups, and no others", ["root"], async () => {
    const user = { uid: 1234, gid: 2345, additionalGids: [7, 4_000_000_000] };

    const status = await statusUnder({ process: { user } });

    expect(status["Uid"]).toBe("1234\t1234\t1234\t1234");
    expect(status["Gid"]).toBe("2345\t2345\t2345\t2345");
    expect(status["Groups"]?.trim()).toBe("7 4000000000");
  });

  kernelTest("has the umask that is asked for", ["root"], async () => {
    const { stdout } = await runProcess({
      process: { user: { uid: 0, gid: 0, umask: 0o57 } },
      script: "umask",
    });

    expect(stdout).toBe("0057\n");
  });

  kernelTest("has the umask 022 when none is asked for", ["root"], async () => {
    const { stdout } = await runProcess({ script: "umask" });

    expect(stdout).toBe("0022\n");
  });
});

describe("the capabilities of a process", () => {
  kernelTest("are the five sets that are given, for a user other than root", ["root"], async () => {
    const capabilities = {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_CHOWN"],
      inheritable: ["CAP_KILL", "CAP_SETUID"],
      ambient: ["CAP_KILL"],
    };

    const status = await statusUnder({ process: { user: { uid: 1, gid: 1 }, capabilities } });

    // After execve only what is ambient is left in the permitted and effective sets: capabilities(7).
    expect(setsOf(status)).toEqual({ Inh: 0xa0n, Prm: 0x20n, Eff: 0x20n, Bnd: 0xa1n, Amb: 0x20n });
  });

  kernelTest("are what root's bounding set leaves", ["root"], async () => {
    const two = ["CAP_CHOWN", "CAP_KILL"];

    const status = await statusUnder({
      process: { capabilities: { bounding: two, permitted: two, effective: two } },
    });

    expect(setsOf(status)).toEqual({ Inh: 0n, Prm: 0x21n, Eff: 0x21n, Bnd: 0x21n, Amb: 0n });
  });

  kernelTest("are none without the section", ["root"], async () => {
    const status = await statusUnder({ process: {} });

    expect(setsOf(status)).toEqual({ Inh: 0n, Prm: 0n, Eff: 0n, Bnd: 0n, Amb: 0n });
  });

  kernelTest("lack, with a warning, what the host withholds", ["root", "a withheld capability"], async () => {
    const [withheld = ""] = capabilityNames(ALL_CAPABILITIES & ~hostBounding);
    const asked = ["CAP_KILL", withheld];

    const { warnings, failure } = await runProcess({
      process: { capabilities: { bounding: asked, permitted: asked, effective: asked } },
    });

    expect(failure).toBeUndefined();
    expect(warnings).toEqual([`process.capabilities: ${withheld} left out: the host withholds it`]);
  });
});

describe("the attributes of a process", () => {
  kernelTest("are set before the command runs", ["root", "program chrt", "program ionice"], async () => {
    const process: Partial<Process> = {
      oomScoreAdj: 321,
      noNewPrivileges: true,
      rlimits: [
        { type: "RLIMIT_NOFILE", soft: 10, hard: 20 },
        { type: "RLIMIT_CORE", soft: 0, hard: 18_446_744_073_709_551_615n },
      ],
      scheduler: { policy: "SCHED_BATCH", nice: 3 },
      ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 },
    };
    const script = `cat /proc/self/oom_score_adj; grep -E 'open files|core file' /proc/self/limits
      chrt -p $$ | grep policy; ionice; cut -d' ' -f19 /proc/self/stat; uname -m; grep NoNewPrivs /proc/self/status`;

    const { stdout } = await runProcess({
      process,
      linux: { personality: { domain: "LINUX32" } },
      script,
    });

    expect(
      stdout
        .replace(/ +/g, " ")
        .replace(/pid \d+/, "pid N")
        .split("\n"),
    ).toEqual([
      "321",
      expect.stringMatching(/^Max core file size 0 (unlimited|\d+) bytes/),
      expect.stringMatching(/^Max open files 10 20 files/),
      "pid N's current scheduling policy: SCHED_BATCH",
      "best-effort: prio 6",
      "3",
      expect.stringMatching(/^(i686|armv8l|armv7l)$/),
      "NoNewPrivs:\t1",
      "",
    ]);
  });

  kernelTest("hold deadlines", ["root", "program chrt"], async () => {
    const scheduler = {
      policy: "SCHED_DEADLINE",
      flags: ["SCHED_FLAG_RESET_ON_FORK"],
      runtime: 1_000_000,
      deadline: 20_000_000,
      period: 40_000_000n,
    };

    // No shell between: the policy is not inherited.
    const { stdout, failure } = await runProcess({
      process: { scheduler },
      args: ["/usr/bin/chrt", "-p", "0"],
    });

    expect(failure).toBeUndefined();
    expect(stdout).toContain("SCHED_DEADLINE|SCHED_RESET_ON_FORK");
    expect(stdout).toContain("1000000/20000000/40000000");
  });

  kernelTest("bind memory to nodes", ["root", "memory nodes"], async () => {
    const { stdout } = await runProcess({
      linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] } },
      args: ["/bin/cat", "/proc/self/numa_maps"],
    });

    expect(stdout).toMatch(/ bind=static:0 /);
  });

  kernelTest("bind a process that joins to the final processors", ["root", "program taskset"], async () => {
    const execCPUAffinity = { initial: "0-1", final: "0" };

    const status = await statusUnder({ process: { execCPUAffinity }, joins: true });

    expect(status["Cpus_allowed_list"]).toBe("0");
  });

  kernelTest("free the first process of what its caller was bound to", ["root"], async () => {
    const run = { process: { execCPUAffinity: { final: "0" } }, before: bindTo(1) };

    const status = await statusUnder(run);

    expect(status["Cpus_allowed_list"]).toBe(statusOf("Cpus_allowed_list"));
  });

  kernelTest("name a score that the kernel refuses", ["root"], async () => {
    const { failure } = await runProcess({ process: { oomScoreAdj: 1001 } });

    expect([failure?.step.purpose, failure?.errno]).toEqual(["set the OOM score", 22]);
  });

  kernelTest("go through no /proc that is mounted over the kernel's", ["root"], async () => {
    const { stdout } = await runProcess({
      process: {
        oomScoreAdj: 77,
        capabilities: { bounding: ["CAP_SYS_ADMIN"], permitted: ["CAP_SYS_ADMIN"] },
      },
      namespaces: CLONE_NEWNS,
      before: (program) => {
        program.mount(null, "/", null, MS_REC | MS_PRIVATE);
        program.mount("tmpfs", "/proc", "tmpfs", 0);
        program.mkdirat(-100, "/proc/self", 0o755);
      },
      script: "ls -A /proc/self; umount /proc; cat /proc/self/oom_score_adj",
    });

    expect(stdout).toBe("77\n");
  });
});

describe("the AppArmor profile of a process", () => {
  kernelTest("confines the command", ["root", "apparmor"], async () => {
    using profile = new AppArmorProfile("deny /etc/hostname r,");

    const { stdout, failure } = await runProcess({
      process: { apparmorProfile: profile.name },
      script: "cat /proc/self/attr/current; cat /etc/hostname 2>/dev/null || echo refused",
    });

    expect(failure).toBeUndefined();
    expect(stdout).toBe(`${profile.name} (enforce)\nrefused\n`);
  });

  kernelTest("is left by a process that asks to be unconfined", ["root", "apparmor"], async () => {
    const { stdout, failure } = await runProcess({
      process: { apparmorProfile: "unconfined" },
      script: "cat /proc/self/attr/current",
    });

    expect(failure).toBeUndefined();
    expect(stdout).toBe("unconfined\n");
  });

  kernelTest("is named when the kernel has none of that name", ["root", "apparmor"], async () => {
    const { failure } = await runProcess({ process: { apparmorProfile: "bunker-none" } });

    expect([failure?.step.purpose, failure?.errno]).toEqual(['apply the AppArmor profile "bunker-none"', 2]);
  });
});

describe("the session keyring", () => {
  kernelTest("is the container's own, and can be searched by its user", ["root", "keyrings"], async () => {
    const id = `bunker-test-${process.pid}`;

    const { stdout } = await runProcess({
      before: (program, proc) => planSessionKeyring(program, { id, label: "", proc, modules: NO_MODULES }),
      args: ["/bin/cat", "/proc/keys"],
    });

    expect(stdout).toMatch(new RegExp(` 3f1b0000 .* keyring +_ses\\.${id}: empty`));
  });
});

async function statusUnder(run: ProcessRun): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await runProcess({ ...run, script: STATUS });
  return Object.fromEntries(
    [...stdout.matchAll(/^(\w+):\t(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}

function setsOf(status: Readonly<Record<string, string>>): Readonly<Record<string, bigint>> {
  const names = ["Inh", "Prm", "Eff", "Bnd", "Amb"];
  return Object.fromEntries(names.map((name) => [name, BigInt(`0x${status[`Cap${name}`]}`)]));
}

/** Steps that bind the program to one processor, as the caller of a runtime may be. */
function bindTo(processor: number): NonNullable<ProcessRun["before"]> {
  const mask = new Uint8Array(8);
  mask[0] = 1 << processor;
  return (program) => void program.step("sched_setaffinity", 0, 8, mask);
}
