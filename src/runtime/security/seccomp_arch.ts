/** What the seccomp compiler must know of an architecture. Loads all tables of numbers: import it lazily. */

import {
  AUDIT_ARCH_AARCH64,
  AUDIT_ARCH_ARM,
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
  X32_SYSCALL_BIT,
} from "../../linux/abi/seccomp.ts";
import { SYSCALLS_ARM } from "../../linux/abi/syscalls_arm.ts";
import { SYSCALLS_ARM64 } from "../../linux/abi/syscalls_arm64.ts";
import { SYSCALLS_I386 } from "../../linux/abi/syscalls_i386.ts";
import { SYSCALLS_X32 } from "../../linux/abi/syscalls_x32.ts";
import { SYSCALLS_X86_64 } from "../../linux/abi/syscalls_x86_64.ts";
import type { SeccompArchName } from "./seccomp_policy.ts";

/** One architecture as a filter sees it. */
export interface SeccompArch {
  readonly auditArch: number;
  /** System call numbers by name, without {@link base}. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Added to every number: {@link X32_SYSCALL_BIT}. */
  readonly base: number;
  /** Arguments have 64 bits; otherwise the high words are zero and only the low ones are compared. */
  readonly wide: boolean;
  /** Numbers with {@link X32_SYSCALL_BIT} belong to a second ABI, which is refused unless a profile names it. */
  readonly hasX32: boolean;
}

/** Every architecture that a filter can be compiled for. */
export const SECCOMP_ARCHES: Readonly<Record<SeccompArchName, SeccompArch>> = {
  X86_64: { auditArch: AUDIT_ARCH_X86_64, numbers: SYSCALLS_X86_64, base: 0, wide: true, hasX32: true },
  X86: { auditArch: AUDIT_ARCH_I386, numbers: SYSCALLS_I386, base: 0, wide: false, hasX32: false },
  X32: {
    auditArch: AUDIT_ARCH_X86_64,
    numbers: SYSCALLS_X32,
    base: X32_SYSCALL_BIT,
    // As libseccomp has it: the ABI passes 32-bit pointers, whatever the registers hold above them.
    wide: false,
    hasX32: false,
  },
  AARCH64: { auditArch: AUDIT_ARCH_AARCH64, numbers: SYSCALLS_ARM64, base: 0, wide: true, hasX32: false },
  ARM: { auditArch: AUDIT_ARCH_ARM, numbers: SYSCALLS_ARM, base: 0, wide: false, hasX32: false },
};
