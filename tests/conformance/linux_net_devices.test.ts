/**
 * config-linux.md, Network Devices. The runtime's own network namespace is one of the test's, made by unshare(1), with one end
 * of a veth pair to give away.
 */
import { describe, expect } from "bun:test";
import { Runtime } from "../helpers/oci_runtime.ts";
import { runPiped } from "../helpers/pipes.ts";
import type { Need } from "../helpers/requires.ts";
import { type Json, NAMESPACES } from "../helpers/runtime_bundle.ts";
import type { Sandbox } from "../helpers/sandbox.ts";
import { conformanceTest } from "./harness.ts";

const NEEDS: readonly Need[] = ["program ip"];
const namespaces = [...NAMESPACES, { type: "network" }];
const SHOW = "tail -n +3 /proc/net/dev | cut -d: -f1 | sed 's/ //g' | sort | xargs";

/** How long the kernel may take to destroy a namespace. */
const GONE_MS_MAX = 30_000;

type InNamespace = (...words: readonly string[]) => Promise<string>;

/** Runs the test with a runtime inside a network namespace that has `give0`, with an address, and `keep0`. */
async function withDevice(
  { name }: Runtime,
  sandbox: Sandbox,
  body: (runtime: Runtime, ip: InNamespace) => Promise<void>,
): Promise<void> {
  const holder = Bun.spawn(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 600"], {
    stdin: "ignore",
    stdout: "pipe",
  });
  await holder.stdout.getReader().read();
  const enter = ["nsenter", `--net=/proc/${holder.pid}/ns/net`];
  const ip: InNamespace = async (...words) => {
    const { exitCode, stdout, stderr } = await runPiped([...enter, "ip", ...words]);
    if (exitCode !== 0) throw new Error(`ip ${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  const runtime = new Runtime(name, sandbox, enter);
  try {
    await ip("link", "add", "give0", "type", "veth", "peer", "name", "keep0");
    await ip("address", "add", "10.11.12.13/24", "dev", "give0");
    await ip("address", "add", "2001:db8::5/64", "dev", "give0");
    await body(runtime, ip);
  } finally {
    await runtime[Symbol.asyncDispose]();
    holder.kill("SIGKILL");
    await holder.exited;
  }
}

const giving = (netDevices: Json): Json => ({ namespaces, netDevices });

describe("config-linux.md#network-devices", () => {
  conformanceTest("are moved into the container under their names", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime, ip) => {
      const output = await runtime.output({ sh: SHOW, linux: giving({ give0: {} }) });

      expect(output).toBe("give0 lo\n");
      expect(await ip("-br", "link")).not.toContain("give0");
    }),
  );

  conformanceTest("are renamed where a name is given", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime) => {
      expect(await runtime.output({ sh: SHOW, linux: giving({ give0: { name: "inner5" } }) })).toBe(
        "inner5 lo\n",
      );
    }),
  );

  conformanceTest("get a name of the kernel's where it ends with %d", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime) => {
      expect(await runtime.output({ sh: SHOW, linux: giving({ give0: { name: "eth%d" } }) })).toBe(
        "eth0 lo\n",
      );
    }),
  );

  conformanceTest("keep their global addresses and are up", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime) => {
      const sh = "ip address show give0";

      const output = await runtime.output({ sh, linux: giving({ give0: {} }) });

      expect(output).toContain("inet 10.11.12.13/24 ");
      expect(output).toContain("inet6 2001:db8::5/64 scope global");
      expect(output).toMatch(/<[^>]*\bUP\b[^>]*>/);
    }),
  );

  conformanceTest("whose new name is taken are refused", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime) => {
      await runtime.refusal({ linux: giving({ give0: { name: "lo" } }) });
    }),
  );

  conformanceTest("that do not exist are refused", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime) => {
      await runtime.refusal({ linux: giving({ missing0: {} }) });
    }),
  );

  conformanceTest("without a network namespace of the container are refused", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime) => {
      await runtime.refusal({ linux: { netDevices: { give0: {} } } });
    }),
  );

  conformanceTest("are not moved back by delete", NEEDS, (outer, sandbox) =>
    withDevice(outer, sandbox, async (runtime, ip) => {
      const container = await runtime.create({
        process: { args: ["/bin/sleep", "60"] },
        linux: giving({ give0: {} }),
      });
      await container.remove();

      // The kernel destroys a virtual device with its namespace.
      const end = Date.now() + GONE_MS_MAX;
      while ((await ip("-br", "link")).includes("keep0") && Date.now() < end) await Bun.sleep(20);
      expect(await ip("-br", "link")).not.toMatch(/give0|keep0/);
    }),
  );
});
