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
 * An array of struct sock_filter, to be loaded with SECCOMP_SET_MODE_FILTER.
 * @throws {RangeError} when a profile of the user compiles to more than BPF_MAXINSNS instructions.
 */
export async function seccompFilter(request: SeccompRequest): Promise<Uint8Array> {
  return request.profile === "default" ? defaultFilter(request) : profileFilter(request, request.profile);
}

async function defaultFilter({ capabilities, arch }: SeccompRequest): Promise<Uint8Array> {
  const ready =
    (capabilities ^ DEFAULT_CAPABILITIES) & GATING_CAPABILITIES ? undefined : DEFAULT_FILTERS[arch];
  if (ready !== undefined) return Buffer.from(ready, "base64");
  const { compilePolicy } = await import("./seccomp_compiler.ts");
  const { defaultPolicy } = await import("./default_profile.ts");
  return compilePolicy(defaultPolicy({ capabilities, architectures: DEFAULT_ARCHITECTURES[arch] }));
}

async function profileFilter(request: SeccompRequest, profile: SeccompProfile): Promise<Uint8Array> {
  const { compilePolicy } = await import("./seccomp_compiler.ts");
  const { resolveProfile } = await import("./seccomp_resolve.ts");
  return compilePolicy(resolveProfile(profile, request));
}
