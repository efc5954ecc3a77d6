/** The filter of a bundle in the kernel: every action, the flags, and an agent that answers notifications. */
import { describe, expect } from "bun:test";
import { SYSCALLS_X86_64 } from "../../../src/linux/abi/syscalls_x86_64.ts";
import { SeccompAgentError, serveListener } from "../../../src/runtime/seccomp_agent.ts";
import { bundleFilter } from "../../../src/runtime/security/bundle_filter.ts";
import { explainSeccomp } from "../../../src/runtime/security/explain_seccomp.ts";
import { type ProcessResult, runProcess } from "../../helpers/bundle_process.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const AGENT = new URL("../../helpers/seccomp_agent.py", import.meta.url).pathname;
const PYTHON = ["root", "x86-64", "program python3"] as const;
const SIGSYS = { signal: 31 };

/** mkdir(2), or what C libraries call in its place. */
const MKDIR = ["mkdir", "mkdirat"];

describe("the actions of a filter", () => {
  kernelTest("let a call fail with the errno of its rule", PYTHON, async () => {
    const { stdout } = await mkdirUnder({ action: "SCMP_ACT_ERRNO", errnoRet: 42 });

    expect(stdout).toBe("errno 42\n");
  });

  kernelTest("let a call fail with EPERM when the rule names no errno", PYTHON, async () => {
    const { stdout } = await mkdirUnder({ action: "SCMP_ACT_ERRNO" });

    expect(stdout).toBe("errno 1\n");
  });

  for (const action of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"]) {
    kernelTest(`end the process by SIGSYS for ${action}`, PYTHON, async () => {
      const { exit, stdout } = await mkdirUnder({ action });

      expect(exit).toEqual(SIGSYS);
      expect(stdout).toBe("");
    });
  }

  kernelTest("answer ENOSYS for SCMP_ACT_TRACE without a tracer", PYTHON, async () => {
    const { stdout } = await mkdirUnder({ action: "SCMP_ACT_TRACE" });

    expect(stdout).toBe("errno 38\n");
  });

  for (const action of ["SCMP_ACT_LOG", "SCMP_ACT_ALLOW"]) {
    kernelTest(`go on to the kernel for ${action}`, PYTHON, async () => {
      const { stdout } = await mkdirUnder({ action });

      expect(stdout).toBe("errno 2\n");
    });
  }

  kernelTest("decide what no rule names by default", PYTHON, async () => {
    const names = Object.keys(SYSCALLS_X86_64).filter((name) => !MKDIR.includes(name));
    const seccomp = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 99,
      syscalls: [{ names, action: "SCMP_ACT_ALLOW" }],
    };

    const { stdout } = await runMkdir(seccomp);

    expect(stdout).toBe("errno 99\n");
  });
});

describe("the flags of a filter", () => {
  for (const flag of ["TSYNC", "LOG", "SPEC_ALLOW"]) {
    kernelTest(`are taken by the kernel: ${flag}`, PYTHON, async () => {
      const { stdout, failure } = await runMkdir({
        defaultAction: "SCMP_ACT_ALLOW",
        flags: [`SECCOMP_FILTER_FLAG_${flag}`],
        syscalls: [{ names: MKDIR, action: "SCMP_ACT_ERRNO", errnoRet: 42 }],
      });

      expect(failure).toBeUndefined();
      expect(stdout).toBe("errno 42\n");
    });
  }
});

describe("a filter without no_new_privs", () => {
  kernelTest("is loaded while the program may, and decides what comes after it", PYTHON, async () => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["setresuid"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
    };

    const { failure } = await runProcess({ linux: { seccomp } });

    expect([failure?.step.name, failure?.errno]).toEqual(["setresuid", 13]);
    expect(failure && explainSeccomp(bundleFilter(seccomp).filter, failure)).toBe(
      "the seccomp filter answers setresuid(2) with SCMP_ACT_ERRNO EACCES",
    );
  });
});

describe("explainSeccomp()", () => {
  kernelTest("names execve when the filter refuses the command itself", PYTHON, async () => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["execve"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    };

    const { failure } = await runMkdir(seccomp);

    expect(failure && explainSeccomp(bundleFilter(seccomp).filter, failure)).toBe(
      "the seccomp filter answers execve(2) with SCMP_ACT_ERRNO EPERM",
    );
  });

  kernelTest("has nothing to say when it was not the filter", PYTHON, async () => {
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };

    const { failure } = await runProcess({ linux: { seccomp }, args: ["/nonexistent"] });

    expect(failure?.step.name).toBe("execve");
    expect(failure && explainSeccomp(bundleFilter(seccomp).filter, failure)).toBeUndefined();
  });
});

describe("serveListener()", () => {
  for (const noNewPrivileges of [true, false]) {
    const when = noNewPrivileges ? "just before the command" : "before the user is taken on";
    kernelTest(
      `hands the listener to the agent when the filter is loaded ${when}`,
      PYTHON,
      async (sandbox) => {
        await using agent = await startAgent(sandbox, { result: 0, errno: 76 });
        const seccomp = notifying(agent.path, ["SECCOMP_FILTER_FLAG_TSYNC"]);

        const { stdout, failure } = await runMkdir(seccomp, {
          noNewPrivileges,
          onSpawned: ({ pid, pidfd, report }) => {
            expect(serveListener({ pid, pidfd, page: report.bytes, listener: agent, state })).toBe(true);
          },
        });

        expect(failure).toBeUndefined();
        expect(stdout).toBe("errno 76\n");
        const [message, ...calls] = await agent.lines();
        expect(JSON.parse(message ?? "")).toEqual({
          ociVersion: "1.3.0",
          fds: ["seccompFd"],
          pid: expect.any(Number),
          metadata: "some metadata",
          state,
        });
        expect(calls).toEqual([String(SYSCALLS_X86_64["mkdir"])]);
      },
    );
  }

  kernelTest("takes WAIT_KILLABLE_RECV with a listener", PYTHON, async (sandbox) => {
    await using agent = await startAgent(sandbox, { result: 0, errno: 0 });
    const seccomp = notifying(agent.path, ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);

    const { stdout } = await runMkdir(seccomp, {
      noNewPrivileges: true,
      onSpawned: ({ pid, pidfd, report }) => {
        serveListener({ pid, pidfd, page: report.bytes, listener: agent, state });
      },
    });

    expect(stdout).toBe("made\n");
  });

  kernelTest("kills the program when the agent is not there", PYTHON, async (sandbox) => {
    const listener = { path: `${sandbox.directory}/none`, metadata: undefined };
    const errors: unknown[] = [];

    const { exit } = await runMkdir(notifying(listener.path, []), {
      noNewPrivileges: true,
      onSpawned: ({ pid, pidfd, report }) => {
        try {
          serveListener({ pid, pidfd, page: report.bytes, listener, state });
        } catch (error) {
          errors.push(error);
        }
      },
    });

    expect(errors[0]).toBeInstanceOf(SeccompAgentError);
    expect(exit).toEqual({ signal: 9 });
  });

  kernelTest("says when the program has ended before its filter was loaded", PYTHON, async (sandbox) => {
    await using agent = await startAgent(sandbox, { result: 0, errno: 0 });
    const served: boolean[] = [];

    const { failure } = await runProcess({
      process: { noNewPrivileges: true, oomScoreAdj: 5000 },
      linux: { seccomp: notifying(agent.path, []) },
      onSpawned: ({ pid, pidfd, report }) => {
        served.push(serveListener({ pid, pidfd, page: report.bytes, listener: agent, state }));
      },
    });

    expect(served).toEqual([false]);
    expect(failure?.step.purpose).toBe("set the OOM score");
  });
});

const state = { ociVersion: "1.3.0", id: "c1", status: "created", bundle: "/b" };

const notifying = (listenerPath: string, flags: readonly string[]): object => ({
  defaultAction: "SCMP_ACT_ALLOW",
  listenerPath,
  listenerMetadata: "some metadata",
  flags,
  syscalls: [{ names: MKDIR, action: "SCMP_ACT_NOTIFY" }],
});

/** Makes a directory whose parent is missing, under a filter with one rule for that. */
function mkdirUnder(rule: object): Promise<ProcessResult> {
  const syscalls = [{ names: MKDIR, ...rule }];
  return runMkdir({ defaultAction: "SCMP_ACT_ALLOW", syscalls });
}

const SCRIPT = `
import os
try:
    os.mkdir("/nonexistent/directory")
    print("made")
except OSError as error:
    print("errno", error.errno)
`;

function runMkdir(
  seccomp: object,
  {
    noNewPrivileges = true,
    ...more
  }: { readonly noNewPrivileges?: boolean } & Pick<Parameters<typeof runProcess>[0], "onSpawned"> = {},
): Promise<ProcessResult> {
  const python = Bun.which("python3", { PATH: "/usr/bin:/usr/local/bin" }) ?? "python3";
  const process = { noNewPrivileges };
  return runProcess({ process, linux: { seccomp }, args: [python, "-c", SCRIPT], ...more });
}

interface Agent extends AsyncDisposable {
  readonly path: string;
  readonly metadata: string;
  /** Everything that it prints, once it has ended. */
  readonly lines: () => Promise<string[]>;
}

async function startAgent(
  { directory }: Sandbox,
  { result, errno }: { readonly result: number; readonly errno: number },
): Promise<Agent> {
  // Longer than a socket's address may be.
  const path = `${directory}/${"a".repeat(120)}`;
  const child = Bun.spawn(["python3", AGENT, "s", `${result}`, `${errno}`], {
    cwd: directory,
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("ready\n")) text += new TextDecoder().decode((await reader.read()).value);
  await Bun.$`mv ${directory}/s ${path}`.quiet();
  const lines = async (): Promise<string[]> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text.split("\n").slice(1, -1);
      text += new TextDecoder().decode(value);
    }
  };
  const stop = async (): Promise<void> => {
    child.kill();
    await child.exited;
  };
  return { path, metadata: "some metadata", lines, [Symbol.asyncDispose]: stop };
}
