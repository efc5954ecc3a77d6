/**
 * The seccomp filter of a bundle: `linux.seccomp` of config.json (config-linux.md#seccomp). What the specification has no
 * field for is refused where it would loosen a filter: docker's rules by capability are resolved by the caller.
 */
import {
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from "../../linux/abi/seccomp.ts";
import { refuse } from "../process/refusal.ts";
import { JsonValueError } from "./json_value.ts";
import { compilePolicy } from "./seccomp_compiler.ts";
import type { Policy } from "./seccomp_policy.ts";
import { parseSeccompProfile, type SeccompProfile } from "./seccomp_profile.ts";
import { resolveBundleProfile, SECCOMP_FLAGS } from "./seccomp_resolve.ts";

/** Where the notifications of a filter go. */
export interface SeccompListener {
  /** Absolute path of the agent's socket. */
  readonly path: string;
  /** Passed on to the agent. */
  readonly metadata: string | undefined;
}

/** A filter to be loaded. */
export interface CompiledFilter {
  /** Array of struct sock_filter. */
  readonly filter: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
  /** Set when some rule notifies. */
  readonly listener: SeccompListener | undefined;
}

/** The same, with what has been compiled. */
export interface BundleFilter extends CompiledFilter {
  readonly policy: Policy;
}

const SECTION = "config-linux.md#seccomp";

/** Architectures of the specification; those that this machine cannot run need no code in a filter. */
const ARCHITECTURES = new Set(
  `X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X
  PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB`
    .split(/\s+/)
    .map((name) => `SCMP_ARCH_${name}`),
);

/**
 * Compiles the filter of a bundle.
 * @param config decoded JSON; whole numbers may be bigints.
 * @throws {ConfigError} that names the field.
 * @throws {RangeError} when it needs more than BPF_MAXINSNS instructions.
 */
export function bundleFilter(
  config: object,
  native: "X86_64" | "AARCH64" = process.arch === "arm64" ? "AARCH64" : "X86_64",
): BundleFilter {
  const profile = parse(config);
  refuseForeignForm(profile);
  refuseIdleErrno(profile);
  const policy = resolveBundleProfile(profile, native);
  const listener = listenerOf(profile);
  const flags = flagsOf(profile, "flags" in config, listener !== undefined);
  return { filter: compilePolicy(policy), flags, listener, policy };
}

const field = (name: string) => ({ path: `linux.seccomp.${name}`, section: SECTION });

function parse(config: object): SeccompProfile {
  try {
    return parseSeccompProfile(config);
  } catch (error) {
    if (error instanceof JsonValueError) refuse(field(error.path), `it is not ${error.expected}`);
    throw error;
  }
}

/** config-linux.md#seccomp: an error number is for the actions that return one. */
function refuseIdleErrno({ defaultAction, defaultErrnoRet, syscalls }: SeccompProfile): void {
  const takesErrno = (action: string): boolean => action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  if (defaultErrnoRet !== undefined && !takesErrno(defaultAction)) {
    refuse(field("defaultErrnoRet"), `${defaultAction} returns no error number`);
  }
  for (const [index, { action, errnoRet }] of syscalls.entries()) {
    if (errnoRet === undefined || takesErrno(action)) continue;
    refuse(field(`syscalls[${index}].errnoRet`), `${action} returns no error number`);
  }
}

function refuseForeignForm({ architectures, archMap, syscalls }: SeccompProfile): void {
  if (archMap.length > 0) refuse(field("archMap"), "only docker's profiles have it, and docker resolves it");
  for (const [index, { includes, excludes }] of syscalls.entries()) {
    for (const [name, gate] of Object.entries({ includes, excludes })) {
      if (gate.caps.length + gate.arches.length > 0 || gate.minKernel !== undefined) {
        const message = "only docker's profiles have it, and docker resolves it";
        refuse(field(`syscalls[${index}].${name}`), message);
      }
    }
  }
  for (const [index, name] of architectures.entries()) {
    if (!ARCHITECTURES.has(name)) refuse(field(`architectures[${index}]`), `"${name}" is no architecture`);
  }
}

function listenerOf(profile: SeccompProfile): SeccompListener | undefined {
  const { listenerPath, listenerMetadata, defaultAction, syscalls } = profile;
  if (listenerPath === undefined && listenerMetadata !== undefined) {
    refuse(field("listenerMetadata"), "it is of no use without listenerPath");
  }
  const first = syscalls.findIndex(({ action }) => action === "SCMP_ACT_NOTIFY");
  if (first < 0 && defaultAction !== "SCMP_ACT_NOTIFY") return undefined;
  if (listenerPath !== undefined) return { path: listenerPath, metadata: listenerMetadata };
  const name = first < 0 ? "defaultAction" : `syscalls[${first}].action`;
  return refuse(field(name), "SCMP_ACT_NOTIFY needs the socket of an agent: listenerPath");
}

function flagsOf({ flags }: SeccompProfile, given: boolean, listens: boolean): number {
  let bits = listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  // The speed of speculation is given up by those alone who ask for it, as with runc.
  if (!given) bits |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  for (const [index, name] of flags.entries()) {
    const bit = Object.hasOwn(SECCOMP_FLAGS, name) ? SECCOMP_FLAGS[name] : undefined;
    if (bit === undefined) refuse(field(`flags[${index}]`), `"${name}" is no flag of seccomp(2)`);
    if (bit === SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !listens) {
      refuse(field(`flags[${index}]`), `${name} is for filters that notify`);
    }
    bits |= bit;
  }
  // Together with a listener the kernel wants its errors told apart (seccomp(2)); this process has one thread.
  const both = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER;
  return (bits & both) === both ? bits | SECCOMP_FILTER_FLAG_TSYNC_ESRCH : bits;
}
