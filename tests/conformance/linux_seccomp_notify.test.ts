/** config-linux.md, listenerPath and The Container Process State: what a seccomp agent gets. */
import { describe, expect } from "bun:test";
import { existsSync } from "node:fs";
import type { Runtime, State } from "../helpers/oci_runtime.ts";
import { conformanceTest } from "./harness.ts";

const AGENT = new URL("../helpers/seccomp_state_receiver.py", import.meta.url).pathname;

interface Sent {
  readonly descriptors: readonly string[];
  readonly state: {
    readonly ociVersion: string;
    readonly fds: readonly string[];
    readonly pid: number;
    readonly metadata?: string;
    readonly state: State;
  };
}

/** Starts a container whose mkdir an agent is asked about. @returns what the agent got, and the container's state */
async function notified(
  runtime: Runtime,
  more: object,
): Promise<{ readonly sent: Sent; readonly state: State }> {
  const listenerPath = `${runtime.directory}/agent.sock`;
  const agent = Bun.spawn(["python3", AGENT, listenerPath], { stdout: "pipe", stderr: "inherit" });
  while (!existsSync(listenerPath)) await Bun.sleep(2);
  try {
    const container = await runtime.start({
      process: { args: ["/bin/sleep", "60"] },
      annotations: { key: "value" },
      linux: {
        seccomp: {
          defaultAction: "SCMP_ACT_ALLOW",
          listenerPath,
          ...more,
          syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" }],
        },
      },
    });
    return { sent: JSON.parse(await agent.stdout.text()) as Sent, state: await container.state() };
  } finally {
    agent.kill();
    await agent.exited;
  }
}

describe("config-linux.md#seccomp: listenerPath", () => {
  conformanceTest(
    "gets one state with the descriptor, and the connection is closed",
    ["program python3"],
    async (runtime) => {
      const { sent, state } = await notified(runtime, {});

      expect(sent.descriptors).toEqual(["anon_inode:seccomp notify"]);
      expect(sent.state.fds).toEqual(["seccompFd"]);
      expect(sent.state.pid).toBe(state.pid);
      expect(sent.state.ociVersion).toMatch(/^1\./);
    },
  );

  conformanceTest(
    "gets the state of the container that is being made",
    ["program python3"],
    async (runtime) => {
      const { sent, state } = await notified(runtime, {});

      expect(sent.state.state).toMatchObject({
        id: state.id,
        bundle: state.bundle,
        pid: state.pid,
        annotations: { key: "value" },
      });
    },
  );

  conformanceTest("gets the metadata", ["program python3"], async (runtime) => {
    const { sent } = await notified(runtime, { listenerMetadata: "for the agent" });

    expect(sent.state.metadata).toBe("for the agent");
  });

  conformanceTest("is not asked when no action is a notification", [], async (runtime) => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      listenerPath: `${runtime.directory}/no-such-socket`,
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }],
    };

    expect(await runtime.output({ sh: "echo ran", linux: { seccomp } })).toBe("ran\n");
  });
});
