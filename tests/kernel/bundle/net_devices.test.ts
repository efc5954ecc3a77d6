/** `linux.netDevices` beyond what the specification says (tests/conformance): joined namespaces, failures, users. */
import { describe, expect } from "bun:test";
import { NetworkNamespace } from "../../helpers/network_namespace.ts";
import { Runtime } from "../../helpers/oci_runtime.ts";
import type { Need } from "../../helpers/requires.ts";
import { ID_MAP, type Json, NAMESPACES } from "../../helpers/runtime_bundle.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program ip", "program busybox"];

const SHOW = "ip -o address show up | grep -v ': lo ' | awk '{ print $2, $4 }' | sort | xargs";

/** A runtime in a namespace that has `one` and `two`, with addresses, up. */
async function inHost(
  sandbox: Sandbox,
  body: (runtime: Runtime, host: NetworkNamespace) => Promise<void>,
): Promise<void> {
  await using host = await NetworkNamespace.make();
  await using runtime = new Runtime("bunker", sandbox, host.enter);
  await host.ip("link", "add", "one", "type", "veth", "peer", "name", "far1");
  await host.ip("link", "add", "two", "type", "veth", "peer", "name", "far2");
  for (const [index, name] of ["one", "two"].entries()) {
    await host.ip("address", "add", `10.11.12.${index + 1}/24`, "dev", name);
    await host.ip("link", "set", name, "up");
  }
  await body(runtime, host);
}

const giving = (netDevices: Json, more: Json = {}): Json => ({
  namespaces: [...NAMESPACES, { type: "network" }],
  netDevices,
  ...more,
});

const addressesOf = async (host: NetworkNamespace, name: string): Promise<string> =>
  (await host.ip("-brief", "address", "show", name)).replace(/@\S+/g, "").replace(/ +/g, " ").trim();

describe("network devices", () => {
  kernelTest("are moved together, and keep addresses that are not the first", NEEDS, (sandbox) =>
    inHost(sandbox, async (runtime, host) => {
      await host.ip("address", "add", "10.11.12.99/24", "dev", "one");

      const output = await runtime.output({ sh: SHOW, linux: giving({ one: {}, two: { name: "eth7" } }) });

      expect(output).toMatch(
        /^eth7 10\.11\.12\.2\/24( eth7 fe80\S+)? one 10\.11\.12\.1\/24 one 10\.11\.12\.99\/24/,
      );
    }),
  );

  kernelTest("are moved into a network namespace that was there before, and stay there", NEEDS, (sandbox) =>
    inHost(sandbox, async (runtime) => {
      await using pod = await NetworkNamespace.make();
      const namespaces = [...NAMESPACES, { type: "network", path: pod.path }];

      await runtime.output({ sh: "true", linux: { namespaces, netDevices: { one: { name: "inner" } } } });

      expect(await addressesOf(pod, "inner")).toContain("10.11.12.1/24");
    }),
  );

  kernelTest("belong to a container with ids of its own", NEEDS, (sandbox) =>
    inHost(sandbox, async (runtime) => {
      const namespaces = [...NAMESPACES, { type: "network" }, { type: "user" }];
      const maps = { namespaces, uidMappings: ID_MAP, gidMappings: ID_MAP };

      expect(await runtime.output({ sh: SHOW, linux: giving({ one: {} }, maps) })).toContain(
        "one 10.11.12.1/24",
      );
    }),
  );

  for (const [what, second] of [
    ["does not exist", { missing: {} }],
    ["gets a name that is taken", { two: { name: "lo" } }],
  ] as const) {
    kernelTest(`come back as they were when another one ${what}`, NEEDS, (sandbox) =>
      inHost(sandbox, async (runtime, host) => {
        const before = await addressesOf(host, "one");

        const message = await runtime.refusal({ linux: giving({ one: { name: "other" }, ...second }) });

        expect(message).toContain(`Cannot move the network device \\"${Object.keys(second)[0]}\\"`);
        const [name, , address] = (await addressesOf(host, "one")).split(" ");
        expect(before).toStartWith(`${name} `);
        expect(before).toContain(` ${address}`);
        expect(await addressesOf(host, "two")).toContain("10.11.12.2/24");
      }),
    );
  }

  kernelTest("stay where they are when loopback is among them", NEEDS, (sandbox) =>
    inHost(sandbox, async (runtime, host) => {
      const message = await runtime.refusal({ linux: giving({ one: {}, lo: { name: "other" } }) });

      expect(message).toMatch(/RTM_NEWLINK\(.*EINVAL/);
      expect(await addressesOf(host, "one")).toContain("10.11.12.1/24");
    }),
  );
});
