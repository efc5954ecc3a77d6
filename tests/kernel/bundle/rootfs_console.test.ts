/** The console of a bundle's process, made by a program and handed over a socket. */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { call } from "../../../src/linux/call.ts";
import { receiveMessage, socketpair } from "../../../src/linux/socket_pair.ts";
import { inheritedFd } from "../../../src/linux/spawn.ts";
import type { RuntimeConfig } from "../../../src/oci/bundle/config.ts";
import { type ConsolePlan, planConsole } from "../../../src/runtime/rootfs/console.ts";
import { configWith, makeBundle, type RootResult, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox"] as const;

interface ConsoleRun {
  readonly bundle: string;
  readonly config?: RuntimeConfig;
  readonly script: string;
  readonly plan?: Partial<ConsolePlan>;
}

/** Runs a script with a console. @returns also the first letter of what came with the master, if it came */
async function runWithConsole(
  run: ConsoleRun,
): Promise<RootResult & { readonly letter: number | undefined }> {
  const { bundle, config = configWith([]), script, plan = {} } = run;
  const [engine, child] = socketpair();
  try {
    const result = await runInRoot({
      config,
      bundle,
      script,
      inherit: [child],
      between: (program, { root }) => {
        const console = {
          root,
          socket: inheritedFd(1),
          size: undefined,
          uid: 0,
          mountConsole: true,
          ...plan,
        };
        planConsole(program, console);
      },
    });
    call("close", child);
    const message = receiveMessage(engine);
    if (message?.fd !== undefined) call("close", message.fd);
    return { ...result, letter: message?.letter };
  } finally {
    call("close", engine);
  }
}

describe("planConsole()", () => {
  kernelTest("makes a terminal of the container's own with size and owner", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const script =
      'tty <&0; stty size <&0; stat -c "%u %a %t" /dev/console /dev/pts/0; ls /dev/pts; cat </dev/tty & kill $!';

    const { output, letter } = await runWithConsole({
      bundle,
      script,
      plan: { size: { height: 31, width: 97 }, uid: 12 },
    });

    expect(letter).toBe("/".charCodeAt(0));
    expect(output).toStartWith("/dev/pts/0\n31 97\n12 620 88\n12 620 88\n0\nptmx\n");
  });

  kernelTest("refuses a /dev/pts that is no devpts", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    mkdirSync(`${bundle}/rootfs/dev/pts`);
    const config: RuntimeConfig = { ociVersion: "1.3.0", root: { path: "rootfs" } };

    const { failure, letter } = await runWithConsole({ bundle, config, script: "true" });

    expect(failure).toMatch(/^open a terminal in \/dev\/pts: .*ENODEV$/);
    expect(letter).toBeUndefined();
  });

  for (const [name, from] of [
    ["/dev/pts", "pts"],
    ["/dev/console", "console"],
  ] as const) {
    kernelTest(`refuses a ${name} that is a link (CVE-2025-52565)`, needs, async ({ directory }) => {
      const bundle = makeBundle(directory);
      mkdirSync(`${bundle}/devices`);
      mkdirSync(`${bundle}/rootfs/run`);
      symlinkSync("/run", `${bundle}/devices/${from}`);
      const pts = { destination: "/dev/pts", type: "devpts", options: ["newinstance", "ptmxmode=0666"] };
      const dev = { destination: "/dev", source: "devices", options: ["bind"] };
      const mounts = from === "pts" ? [dev] : [dev, pts];

      const { failure } = await runWithConsole({
        bundle,
        config: { ...configWith([]), mounts },
        script: "true",
      });

      expect(failure).toMatch(/openat2\(.*ELOOP$/);
    });
  }

  kernelTest("refuses what is mounted over the multiplexer", needs, async ({ directory }) => {
    const bundle = makeBundle(directory);
    const over = { destination: "/dev/pts/ptmx", source: "/dev/null", options: ["bind"] };

    const { failure } = await runWithConsole({ bundle, config: configWith([over]), script: "true" });

    expect(failure).toMatch(/^open a terminal in \/dev\/pts: openat2\(.*"ptmx".*EXDEV$/);
  });
});
