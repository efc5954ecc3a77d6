/**
 * Memory outside the JavaScript heap: pages that stay where they are, for machine code, for programs that run
 * in this process, and for what is shared with a child. The only two functions taken from the C library.
 */
import { dlopen, type Pointer, ptr, toArrayBuffer } from "bun:ffi";

/** mmap(2): protections and flags, the same on both processors. */
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;

/** glibc first, then musl: Alpine's Bun has no libc.so.6 (facts: oven/bun's alpine images). */
const libraryNames = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

function openLibc() {
  const failures: unknown[] = [];
  for (const name of libraryNames) {
    try {
      return dlopen(name, {
        mmap: { args: ["ptr", "usize", "i32", "i32", "i32", "i64"], returns: "ptr" },
        mprotect: { args: ["ptr", "usize", "i32"], returns: "i32" },
      }).symbols;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(
    failures,
    `Cannot load the C library: none of "${libraryNames.join('", "')}" opens`,
  );
}

const libc = openLibc();

/** Address of the first byte of `memory`; the caller keeps `memory` alive while the kernel may use it. */
export const addressOf = (memory: Uint8Array): number => Number(ptr(memory));

/** Pages that are never moved; `address` is what the kernel is given. */
export interface Pages {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * mmap(2), readable and writable: anonymous and private, or shared pages of `sharedFd`.
 * @throws {Error} when the kernel has no memory to give.
 */
export function allocatePages(length: number, sharedFd = -1): Pages {
  const flags = sharedFd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  const address = Number(libc.mmap(null, length, PROT_READ | PROT_WRITE, flags, sharedFd, 0));
  // MAP_FAILED is -1; a pointer of user space is below 2^56.
  if (address <= 0 || address > 2 ** 56) throw new Error(`Cannot map ${length} bytes: mmap(2) failed`);
  return { address, bytes: new Uint8Array(toArrayBuffer(address as Pointer, 0, length)) };
}

/** mprotect(2): makes pages executable and no longer writable. @throws {Error} where a policy forbids it. */
export function makeExecutable(address: number, length: number): void {
  if (libc.mprotect(address as Pointer, length, PROT_READ | PROT_EXEC) !== 0) {
    throw new Error("Cannot make memory executable: a security policy of this machine forbids it (execmem)");
  }
}
