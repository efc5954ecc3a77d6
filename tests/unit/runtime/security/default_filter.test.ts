import { describe, expect, test } from "bun:test";
import { capabilityMask, DEFAULT_CAPABILITIES } from "../../../../src/runtime/security/capability.ts";
import { DEFAULT_FILTERS, GATING_CAPABILITIES } from "../../../../src/runtime/security/default_filter.ts";
import { defaultPolicy, gatingCapabilities } from "../../../../src/runtime/security/default_profile.ts";
import { compilePolicy } from "../../../../src/runtime/security/seccomp_compiler.ts";
import { type SeccompRequest, seccompFilter } from "../../../../src/runtime/security/seccomp_filter.ts";
import { disassemble } from "../../../helpers/bpf_disassembler.ts";

const AHEAD = [
  ["amd64", "X86_64"],
  ["arm64", "AARCH64"],
] as const;

/** After a wanted change of the profile or the compiler: bun scripts/gen_seccomp.ts, and review the listings. */
describe("the filters that are compiled ahead", () => {
  test.each(AHEAD)("equal a fresh compilation for %s", (arch, name) => {
    const fresh = compilePolicy(defaultPolicy({ capabilities: DEFAULT_CAPABILITIES, architectures: [name] }));

    expect(DEFAULT_FILTERS[arch]).toBe(fresh.toBase64());
  });

  test.each(AHEAD)("equal their listing for %s", async (arch) => {
    const listing = new URL(`../../../fixtures/seccomp/default_${arch}.txt`, import.meta.url);

    expect(disassemble(Uint8Array.fromBase64(DEFAULT_FILTERS[arch] ?? ""))).toBe(
      await Bun.file(listing).text(),
    );
  });

  test("know the capabilities that the profile depends on", () => {
    expect(GATING_CAPABILITIES).toBe(gatingCapabilities());
  });
});

describe("seccompFilter()", () => {
  test("gives the default filter at once", () => {
    expect(seccompFilter(request({}))).toBeInstanceOf(Uint8Array);
  });

  test("gives the default filter at once when another capability changes nothing", () => {
    const capabilities = DEFAULT_CAPABILITIES | capabilityMask(["NET_ADMIN", "MKNOD"]);

    expect(seccompFilter(request({ capabilities }))).toEqual(seccompFilter(request({})));
  });

  test.each(["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"])("compiles another filter when %s differs", async (name) => {
    const capabilities = DEFAULT_CAPABILITIES ^ capabilityMask([name]);

    const filter = await seccompFilter(request({ capabilities }));

    expect(filter).toEqual(compilePolicy(defaultPolicy({ capabilities, architectures: ["X86_64"] })));
    expect(filter).not.toEqual(await seccompFilter(request({})));
  });

  test("confines both ABIs for a 386 image", async () => {
    const filter = await seccompFilter(request({ arch: "386" }));

    expect(disassemble(filter)).toContain("JEQ #0xc000003e");
    expect(disassemble(filter)).toContain("JEQ #0x40000003");
  });
});

function request(changes: Partial<SeccompRequest>): SeccompRequest {
  return {
    profile: "default",
    capabilities: DEFAULT_CAPABILITIES,
    arch: "amd64",
    kernel: { major: 6, minor: 1 },
    ...changes,
  };
}
