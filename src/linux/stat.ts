/** struct stat of fstat(2), asm/stat.h: the fields that are needed, whose places differ by processor. */
import { architecture } from "./machine.ts";

/** Bytes of struct stat: 144 on x86-64, 128 on arm64. */
export const STAT_SIZE = 144;

/** st_mode: type and permission bits. */
export function statMode(stat: Uint8Array): number {
  return new DataView(stat.buffer, stat.byteOffset).getUint32(architecture === 1 ? 16 : 24, true);
}

/** st_nlink. */
export function statLinks(stat: Uint8Array): number {
  return new DataView(stat.buffer, stat.byteOffset).getUint32(architecture === 1 ? 20 : 16, true);
}
