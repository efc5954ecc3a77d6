/**
 * The seccomp filter of a container. The default profile with the default capabilities is compiled when bunker is
 * built (default_filter.ts), so that an ordinary `run` loads neither tables nor compiler.
 */

import { DEFAULT_CAPABILITIES } from "./capability.ts";
import { DEFAULT_FILTERS, GATING_CAPABILITIES } from "./default_filter.ts";
import type { SeccompArchName } from "./seccomp_policy.ts";
import type { KernelVersion, SeccompProfile } from "./seccomp_profile.ts";

/** Architectures of containers that bunker can confine, named as in image configurations. */
export type FilterArch = "amd64" | "arm64" | "386";

/** What decides a filter. */
export interface SeccompRequest {
  /** `"default"`: bunker's own; else from parseSeccompProfile(). */
  readonly profile: "default" | SeccompProfile;
  /** Bounding set of the container, as a mask. */
  readonly capabilities: bigint;
  /** The image's architecture; `386` runs on an amd64 kernel. */
  readonly arch: FilterArch;
  /** Version of the running kernel, for rules with `minKernel`. */
  readonly kernel: KernelVersion;
}

/** Architectures of a default filter: the first step of a 386 container is still an execve of 64-bit code. */
const DEFAULT_ARCHITECTURES: Readonly<Record<FilterArch, readonly SeccompArchName[]>> = {
  amd64: ["X86_64"],
  arm64: ["AARCH64"],
  "386": ["X86_64", "X86"],
};

/**
 * An array of struct sock_filter, to be loaded with SECCOMP_SET_MODE_FILTER; at once when it is compiled ahead.
 * @throws {RangeError} when a profile of the user compiles to more than BPF_MAXINSNS instructions.
 */
export function seccompFilter(request: SeccompRequest): Uint8Array | Promise<Uint8Array> {
  // Other capabilities are of no consequence. No async function and no helper: cold calls cost 20 µs each.
  if (
    request.profile === "default" &&
    !((request.capabilities ^ DEFAULT_CAPABILITIES) & GATING_CAPABILITIES)
  ) {
    const ready = DEFAULT_FILTERS[request.arch];
    if (ready !== undefined) return Uint8Array.fromBase64(ready);
  }
  return compileFilter(request);
}

async function compileFilter(request: SeccompRequest): Promise<Uint8Array> {
  const { profile, capabilities, arch } = request;
  const { compilePolicy } = await import("./seccomp_compiler.ts");
  if (profile === "default") {
    const { defaultPolicy } = await import("./default_profile.ts");
    return compilePolicy(defaultPolicy({ capabilities, architectures: DEFAULT_ARCHITECTURES[arch] }));
  }
  const { resolveProfile } = await import("./seccomp_resolve.ts");
  return compilePolicy(resolveProfile(profile, request));
}
