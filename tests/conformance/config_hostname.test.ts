/** config.md, Hostname and Domainname. */
import { describe, expect } from "bun:test";
import { hostname } from "node:os";
import { conformanceTest } from "./harness.ts";

describe("config.md#hostname", () => {
  conformanceTest("is what processes inside see, and no one outside", [], async (runtime) => {
    const before = hostname();

    const output = await runtime.output({ sh: "hostname; uname -n", hostname: "inside.example" });

    expect({ output, host: hostname() }).toEqual({
      output: "inside.example\ninside.example\n",
      host: before,
    });
  });

  conformanceTest("is the host's when nothing is said", [], async (runtime) => {
    expect(await runtime.output({ sh: "hostname" })).toBe(`${hostname()}\n`);
  });
});

describe("config.md#domainname", () => {
  conformanceTest("is what processes inside see", [], async (runtime) => {
    const sh = "cat /proc/sys/kernel/domainname";

    expect(await runtime.output({ sh, domainname: "domain.example" })).toBe("domain.example\n");
  });
});
