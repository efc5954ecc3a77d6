/** config.md, terminal and consoleSize: a pseudo-terminal of the container, whose other end comes over a socket. */
import { describe, expect } from "bun:test";
import { receiveConsole } from "../helpers/console_socket.ts";
import type { Container, Runtime } from "../helpers/oci_runtime.ts";
import type { Need } from "../helpers/requires.ts";
import { type ConfigPatch, NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const NEEDS: readonly Need[] = ["program python3"];

/** Starts a container with a terminal. @returns all that it writes there */
async function onTerminal(runtime: Runtime, patch: ConfigPatch): Promise<string> {
  const socket = `${runtime.directory}/console.sock`;
  await using receiver = await receiveConsole(socket);
  const bundle = await runtime.bundle(patch);
  const container: Container = await runtime.create(bundle, "--console-socket", socket);
  await container.start();
  await container.ended();
  return (await receiver.output()).replaceAll("\r\n", "\n");
}

const terminal = (more: object = {}): { readonly process: { readonly terminal: true } } => ({
  process: { terminal: true, ...more },
});

describe("config.md#process: terminal", () => {
  conformanceTest("is stdin, stdout and stderr of the process", NEEDS, async (runtime) => {
    const sh = "for n in 0 1 2; do test -t $n && echo $n; done; tty";

    expect(await onTerminal(runtime, { sh, ...terminal() })).toMatch(/^0\n1\n2\n\/dev\/(pts\/0|console)\n$/);
  });

  conformanceTest("is the controlling terminal", NEEDS, async (runtime) => {
    expect(await onTerminal(runtime, { sh: "echo controlled > /dev/tty", ...terminal() })).toBe(
      "controlled\n",
    );
  });

  conformanceTest("has the size that consoleSize says", NEEDS, async (runtime) => {
    const patch = terminal({ consoleSize: { height: 11, width: 33 } });

    expect(await onTerminal(runtime, { sh: "stty size", ...patch })).toBe("11 33\n");
  });

  conformanceTest("is /dev/console too", NEEDS, async (runtime) => {
    const sh =
      "test -c /dev/console && echo device; echo written > /dev/console; grep -c ' /dev/console ' /proc/mounts";

    expect(await onTerminal(runtime, { sh, ...terminal() })).toBe("device\nwritten\n1\n");
  });

  conformanceTest("belongs to the user of the process", NEEDS, async (runtime) => {
    const patch = terminal({ user: { uid: 1000, gid: 1000 } });

    expect(await onTerminal(runtime, { sh: "stat -L -c %u /proc/self/fd/0", ...patch })).toBe("1000\n");
  });

  conformanceTest("is of the container's own devpts", NEEDS, async (runtime) => {
    const sh = "ls /dev/pts";
    const namespaces = NAMESPACES;

    expect((await onTerminal(runtime, { sh, ...terminal(), linux: { namespaces } })).split(/\s+/)).toEqual(
      expect.arrayContaining(["0", "ptmx"]),
    );
  });

  conformanceTest("without anyone to send it to is refused by create", [], async (runtime) => {
    await runtime.refusal({ ...terminal() });
  });
});
