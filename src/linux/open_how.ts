/**
 * struct open_how: openat2(2), linux/openat2.h.
 *
 *   offset  size  field    meaning
 *        0     8  flags    O_*
 *        8     8  mode     permission bits; 0 unless O_CREAT
 *       16     8  resolve  RESOLVE_*
 *   total 24 bytes (OPEN_HOW_SIZE_VER0, Linux 5.6)
 */
import { OPEN_HOW_SIZE } from "./abi/fcntl.ts";

/** Encodes a struct open_how. */
export function openHow(flags: number, resolve: number, mode = 0): Uint8Array {
  const words = new Uint32Array(new ArrayBuffer(OPEN_HOW_SIZE));
  words[0] = flags;
  words[2] = mode;
  words[4] = resolve;
  return new Uint8Array(words.buffer);
}
