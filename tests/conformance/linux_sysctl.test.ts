/** config-linux.md, Sysctl: parameters of the container's namespaces. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

const namespaces = [...NAMESPACES, { type: "network" }];

describe("config-linux.md#sysctl", () => {
  conformanceTest("sets parameters of the network and of the messages", [], async (runtime) => {
    const sysctl = { "net.ipv4.ip_forward": "1", "net.core.somaxconn": "321", "kernel.msgmax": "4321" };
    const sh = "cd /proc/sys; cat net/ipv4/ip_forward net/core/somaxconn kernel/msgmax";

    expect(await runtime.output({ sh, linux: { namespaces, sysctl } })).toBe("1\n321\n4321\n");
  });

  conformanceTest("changes nothing of the host", [], async (runtime) => {
    const before = readFileSync("/proc/sys/kernel/msgmax", "utf8");

    await runtime.output({ linux: { namespaces, sysctl: { "kernel.msgmax": "4321" } } });

    expect(readFileSync("/proc/sys/kernel/msgmax", "utf8")).toBe(before);
  });

  conformanceTest(
    "refuses parameters of a namespace that the container does not have",
    [],
    async (runtime) => {
      await runtime.refusal({ linux: { sysctl: { "net.ipv4.ip_forward": "1" } } });
    },
  );

  conformanceTest("refuses parameters of the whole machine", [], async (runtime) => {
    await runtime.refusal({ linux: { namespaces, sysctl: { "vm.overcommit_memory": "1" } } });
  });

  conformanceTest("refuses parameters that do not exist", [], async (runtime) => {
    await runtime.refusal({ linux: { namespaces, sysctl: { "net.ipv4.no_such_parameter": "1" } } });
  });

  conformanceTest("refuses values that are no strings", [], async (runtime) => {
    await runtime.refusal({ linux: { namespaces, sysctl: { "net.ipv4.ip_forward": ["1"] } } });
  });
});
