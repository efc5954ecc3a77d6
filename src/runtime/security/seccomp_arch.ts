/** What the seccomp compiler must know of an architecture. Loads all tables of numbers: import it lazily. */

import { AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64 } from "../../linux/abi/seccomp.ts";
import { SYSCALLS_ARM64 } from "../../linux/abi/syscalls_arm64.ts";
import { SYSCALLS_I386 } from "../../linux/abi/syscalls_i386.ts";
import { SYSCALLS_X86_64 } from "../../linux/abi/syscalls_x86_64.ts";
import type { SeccompArchName } from "./seccomp_policy.ts";

/** One architecture as a filter sees it. */
export interface SeccompArch {
  readonly auditArch: number;
  /** System call numbers by name. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Arguments have 64 bits; otherwise the high words are zero and only the low ones are compared. */
  readonly wide: boolean;
  /** Numbers with {@link X32_SYSCALL_BIT} belong to a second ABI, which is always refused. */
  readonly hasX32: boolean;
}

/** Every architecture that a filter can be compiled for. */
export const SECCOMP_ARCHES: Readonly<Record<SeccompArchName, SeccompArch>> = {
  X86_64: { auditArch: AUDIT_ARCH_X86_64, numbers: SYSCALLS_X86_64, wide: true, hasX32: true },
  X86: { auditArch: AUDIT_ARCH_I386, numbers: SYSCALLS_I386, wide: false, hasX32: false },
  AARCH64: { auditArch: AUDIT_ARCH_AARCH64, numbers: SYSCALLS_ARM64, wide: true, hasX32: false },
};
