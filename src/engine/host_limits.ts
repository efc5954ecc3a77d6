/** Resource limits of this process: prlimit(2). */
import { call } from "../linux/call.ts";
import { readSmallText } from "../linux/small_file.ts";
import { type HostRlimits, RLIMIT_NOFILE, type Rlimit } from "../runtime/security/rlimit.ts";

const RLIMIT_COUNT = 16;
const CAP_SYS_RESOURCE = 24n;

/** Reads the limits that a plan needs: all of them when the user asks for some, else that of open files alone. */
export function hostRlimits(effective: bigint, { all }: { readonly all: boolean }): HostRlimits {
  const resources = all ? Array.from({ length: RLIMIT_COUNT }, (_, index) => index) : [RLIMIT_NOFILE];
  const limits = new Map<number, Rlimit>(resources.map((resource) => [resource, readLimit(resource)]));
  const openFilesMax = all ? Number.parseInt(readSmallText("/proc/sys/fs/nr_open") ?? "", 10) : Number.NaN;
  return {
    limits,
    mayRaise: ((effective >> CAP_SYS_RESOURCE) & 1n) === 1n,
    ...(Number.isNaN(openFilesMax) ? {} : { openFilesMax }),
  };
}

function readLimit(resource: number): Rlimit {
  const limit = new BigUint64Array(new ArrayBuffer(16));
  call("prlimit64", 0, resource, null, new Uint8Array(limit.buffer));
  const value = (index: number): number => {
    const raw = limit[index] as bigint;
    return raw > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(raw);
  };
  return { soft: value(0), hard: value(1) };
}
