/** The order of a process's steps is its security; and what is refused before anything is started. */
import { describe, expect, test } from "bun:test";
import { PR_CAPBSET_DROP, PR_SET_KEEPCAPS } from "../../../../src/linux/abi/sched.ts";
import { Program } from "../../../../src/linux/program.ts";
import type { Step } from "../../../../src/linux/step.ts";
import type { Linux, Process } from "../../../../src/oci/bundle/config.ts";
import { planHook } from "../../../../src/runtime/process/hook.ts";
import { planPrivateProc } from "../../../../src/runtime/process/private_proc.ts";
import { planInitialAffinity, planPrivilegedProcess } from "../../../../src/runtime/process/privileged.ts";
import { planFilter } from "../../../../src/runtime/process/seccomp.ts";
import { planSysctls, shownAs } from "../../../../src/runtime/process/sysctl.ts";
import { planUserProcess } from "../../../../src/runtime/process/user.ts";
import { ALL_CAPABILITIES } from "../../../../src/runtime/security/capability.ts";

const KILL = ["CAP_KILL"];
const host = { hostBounding: ALL_CAPABILITIES, setgroupsAllowed: true };
const modules = { apparmor: false, selinux: false };

describe("planUserProcess()", () => {
  test("drops from the bounding set before anything else, and raises ambient capabilities last", () => {
    const capabilities = { bounding: KILL, permitted: KILL, inheritable: KILL, ambient: KILL };

    const names = namesOf(planUser({ capabilities }).steps);

    expect(names.filter((name, index) => name !== names[index - 1])).toEqual([
      "prctl",
      "setgroups",
      "setresgid",
      "setresuid",
      "capset",
      "prctl",
      "umask",
    ]);
  });

  test("keeps capabilities over the change of the user", () => {
    const { steps } = planUser({});

    const keep = steps.findIndex(({ name, args }) => name === "prctl" && args[0] === PR_SET_KEEPCAPS);
    const drop = steps.findLastIndex(({ name, args }) => name === "prctl" && args[0] === PR_CAPBSET_DROP);

    expect(keep).toBeGreaterThan(drop);
    expect(keep).toBeLessThan(namesOf(steps).indexOf("setresuid"));
  });

  test("hands the five sets to the kernel as they are given", () => {
    const { steps } = planUser({
      capabilities: {
        bounding: ["CAP_CHOWN", "CAP_BPF"],
        permitted: ["CAP_CHOWN", "CAP_BPF"],
        effective: ["CAP_BPF"],
        inheritable: ["CAP_CHOWN"],
      },
    });

    const data = Uint8Array.from(
      bytesOf(
        steps.find(({ name }) => name === "capset"),
        1,
      ),
    );

    // Low words of the effective, permitted and inheritable sets, then their high words: capset(2).
    expect([...new Uint32Array(data.buffer)]).toEqual([0, 1, 1, 0x80, 0x80, 0]);
  });

  test.each([
    ["effective", { bounding: KILL, effective: KILL }, "effective: CAP_KILL is not in the permitted set"],
    ["inheritable", { inheritable: KILL }, "inheritable: CAP_KILL is not in the bounding set"],
  ] as const)("refuses sets that contradict each other: %s", (_, capabilities, message) => {
    expect(() => planUser({ capabilities })).toThrow(`process.capabilities.${message}`);
  });

  test("leaves out, without a warning, an ambient capability that is not inheritable", () => {
    const { warnings, steps } = planUser({
      capabilities: { bounding: KILL, permitted: KILL, effective: KILL, ambient: KILL },
    });

    expect(warnings).toEqual([]);
    expect(namesOf(steps).slice(-2)).toEqual(["prctl", "umask"]);
  });

  test("leaves out, with a warning, names that Linux does not know", () => {
    const { warnings, steps } = planUser({ capabilities: { bounding: ["CAP_NONE", "KILL"] } });

    expect(warnings).toEqual([
      'process.capabilities: "CAP_NONE" left out: Linux does not know it',
      'process.capabilities: "KILL" left out: Linux does not know it',
    ]);
    expect(namesOf(steps)).toContain("capset");
  });

  test("gives the groups that are named, and no others", () => {
    const { steps } = planUser({ user: { uid: 1, gid: 2, additionalGids: [7, 9, 7] } });

    const step = steps.find(({ name }) => name === "setgroups");

    expect([step?.args[0], bytesOf(step, 1)]).toEqual([2, [7, 0, 0, 0, 9, 0, 0, 0]]);
  });

  test("leaves out, with a warning, what the host withholds", () => {
    const capabilities = { bounding: KILL, permitted: KILL, effective: KILL };

    const { warnings, steps } = planUser({ capabilities }, { ...host, hostBounding: 1n });

    const data = bytesOf(
      steps.find(({ name }) => name === "capset"),
      1,
    );
    expect(warnings).toEqual(["process.capabilities: CAP_KILL left out: the host withholds it"]);
    expect(data).toEqual(Array.from({ length: 24 }, () => 0));
  });

  test("refuses additional groups where setgroups has been given up", () => {
    const user = { uid: 0, gid: 0, additionalGids: [5] };

    expect(() => planUser({ user }, { ...host, setgroupsAllowed: false })).toThrow(
      "process.user.additionalGids: ",
    );
  });

  test("leaves groups alone where setgroups has been given up", () => {
    const { steps } = planUser({}, { ...host, setgroupsAllowed: false });

    expect(namesOf(steps)).not.toContain("setgroups");
  });
});

describe("planPrivilegedProcess()", () => {
  test("sets limits after every file is opened, and no_new_privs last", () => {
    const names = namesOf(
      planPrivileged({
        oomScoreAdj: 5,
        noNewPrivileges: true,
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }],
      }),
    );

    expect(names.slice(-2)).toEqual(["prlimit64", "prctl"]);
    expect(names.lastIndexOf("openat2")).toBeLessThan(names.indexOf("prlimit64"));
  });

  test("closes every descriptor that it opens, but for the root of /proc", () => {
    const names = namesOf(planPrivileged({ oomScoreAdj: 5 }));

    const opened = names.filter((name) => name === "openat2").length;
    expect(names.filter((name) => name === "close")).toHaveLength(opened);
  });

  test("leaves to the engine what takes privilege of the initial user namespace", () => {
    const names = namesOf(
      planPrivileged(
        {
          oomScoreAdj: -5,
          scheduler: { policy: "SCHED_FIFO", priority: 1 },
          rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }],
        },
        { appliedFromHost: true },
      ),
    );

    expect(names).toEqual(["sched_setaffinity"]);
  });

  test.each([
    [{ apparmorProfile: "web" }, 'process.apparmorProfile: "web" cannot be applied: AppArmor is not enabled'],
    [{ selinuxLabel: "a:b:c" }, 'process.selinuxLabel: "a:b:c" cannot be applied: SELinux is not enabled'],
    [{ ioPriority: { class: "IOPRIO_CLASS_RT", priority: 8 } }, "process.ioPriority.priority: 8"],
    [{ scheduler: { policy: "SCHED_NONE" } }, 'process.scheduler.policy: "SCHED_NONE" is not one of'],
  ] as const)("refuses %j", (changes, message) => {
    expect(() => planPrivileged(changes as Partial<Process>)).toThrow(message);
  });

  test.each(["", "unconfined"])("needs no AppArmor for the profile %j", (apparmorProfile) => {
    expect(namesOf(planPrivileged({ apparmorProfile }))).toEqual(["sched_setaffinity"]);
  });

  test("writes an AppArmor profile to the file of its module, or the shared one, and reads it back", () => {
    const steps = planPrivileged({ apparmorProfile: "web" }, { modules: { apparmor: true, selinux: false } });

    const paths = steps.filter(({ name }) => name === "openat2").map(({ args }) => args[1]);
    expect(paths).toEqual(["self/attr/apparmor/exec", "self/attr/exec"]);
    expect(steps.find(({ name }) => name === "write")?.args[1]).toBe("exec web");
    expect(namesOf(steps)).toContain("pread64");
  });

  test("writes a struct sched_attr with the times of SCHED_DEADLINE", () => {
    const steps = planPrivileged({
      scheduler: {
        policy: "SCHED_DEADLINE",
        flags: ["SCHED_FLAG_RECLAIM"],
        runtime: 1,
        deadline: 2n,
        period: 2 ** 40,
      },
    });

    const view = new DataView(Uint8Array.from(bytesOf(steps.at(-1), 1)).buffer);
    expect([view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)]).toEqual([56, 6, 2]);
    expect([24, 32, 40].map((offset) => view.getBigUint64(offset, true))).toEqual([1n, 2n, 2n ** 40n]);
  });

  test("writes a mask of nodes for one bit more than it has", () => {
    const linux = { memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0-2,66" } };

    const step = planPrivileged({}, { linux }).at(-1);

    expect(step?.name).toBe("set_mempolicy");
    expect(bytesOf(step, 1)).toEqual([7, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
    expect(step?.args[2]).toBe(129);
  });
});

describe("planInitialAffinity()", () => {
  test("binds to the processors until the control group is joined", () => {
    const program = new Program();

    planInitialAffinity(program, process({ execCPUAffinity: { initial: "1,3" } }));

    expect(bytesOf(program.steps[0], 2)).toEqual([10, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("planPrivateProc()", () => {
  test("makes one of processes alone unless kernel parameters are to be set", () => {
    const some = new Program();
    const all = new Program();

    planPrivateProc(some, { full: false });
    planPrivateProc(all, { full: true });

    expect(some.steps.flatMap(({ args }) => args)).toContain("subset");
    expect(all.steps.flatMap(({ args }) => args)).not.toContain("subset");
  });

  test("checks the magic number and the inode of whatever it has opened", () => {
    const program = new Program();

    planPrivateProc(program, { full: false });

    const names = namesOf(program.steps);
    const opened = ["fsmount", "open_tree", "openat"].map((name) => names.indexOf(name));
    expect(Math.max(...opened)).toBeLessThan(names.indexOf("fstatfs"));
    expect(names).toContain("fstat");
  });
});

describe("planSysctls()", () => {
  test.each(["net..ipv4", "net/../../self/mem", "", "net/ipv4//x"])("refuses the name %j", (name) => {
    const program = new Program();

    expect(() => planSysctls(program, { [name]: "1" }, program.variable("proc"))).toThrow("linux.sysctl.");
  });

  test.each([
    ["net/ipv4/ip_forward", "1", "1"],
    ["kernel/sem", " 250  32000 32 128", "250\t32000\t32\t128"],
    ["net/ipv4/neigh/default/retrans_time_ms", "1001", undefined],
    ["kernel/domainname", "a.b", undefined],
    ["net/core/bpf_jit_limit", "0x10", undefined],
  ])("expects of %s, set to %j, to show %j", (path, value, shown) => {
    expect(shownAs(path, value)).toBe(shown);
  });
});

describe("planHook()", () => {
  const plan = { kind: "createContainer", index: 0, state: 201, ignoredSignals: [13] } as const;

  test("leaves the hook no descriptor but the three", () => {
    const program = new Program();

    planHook(program, { path: "/hook" }, plan);

    const names = namesOf(program.steps);
    expect(names.slice(names.indexOf("close_range"), names.indexOf("execve") + 1)).toEqual([
      "close_range",
      "execve",
    ]);
  });

  test.each([0, -1, 1.5, 2 ** 31])("refuses a timeout of %d seconds", (timeout) => {
    expect(() => planHook(new Program(), { path: "/hook", timeout }, plan)).toThrow(
      "hooks.createContainer[0].timeout: ",
    );
  });
});

describe("planFilter()", () => {
  test("makes no system call after the filter while it waits for the agent", () => {
    const program = new Program();

    planFilter(program, { filter: new Uint8Array(8), flags: 8, listener: {} });

    const names = namesOf(program.steps);
    expect(new Set(names.slice(names.indexOf("seccomp") + 1))).toEqual(new Set(["add", "field"]));
  });
});

/** Bytes that a step is given as its argument `index`. */
function bytesOf(step: Step | undefined, index: number): number[] {
  const argument = step?.args[index];
  return argument instanceof Uint8Array ? [...argument] : [];
}

const namesOf = (steps: readonly Step[]): string[] => steps.map(({ name }) => name);

const process = (changes: Partial<Process>): Process => ({ cwd: "/", user: { uid: 1, gid: 1 }, ...changes });

function planUser(changes: Partial<Process>, changedHost = host) {
  const program = new Program();
  const warnings = planUserProcess(program, process(changes), changedHost);
  return { steps: program.steps, warnings };
}

function planPrivileged(
  changes: Partial<Process>,
  changedHost: {
    readonly appliedFromHost?: boolean;
    readonly modules?: typeof modules;
    readonly linux?: Linux;
  } = {},
): readonly Step[] {
  const program = new Program();
  const proc = program.variable("proc");
  planPrivilegedProcess(program, process(changes), {
    proc,
    modules,
    appliedFromHost: false,
    joins: false,
    ...changedHost,
  });
  return program.steps;
}
