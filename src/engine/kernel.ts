/** Version of the running kernel: proc_sys_kernel(5). */
import { readSmallText } from "../linux/small_file.ts";
import type { KernelVersion } from "../runtime/security/seccomp_profile.ts";

let known: KernelVersion | undefined;

/** Reads the version once. */
export function kernelVersion(): KernelVersion {
  if (known !== undefined) return known;
  const [major = 0, minor = 0] = (readSmallText("/proc/sys/kernel/osrelease") ?? "")
    .split(/[.-]/)
    .map(Number);
  known = { major, minor };
  return known;
}
