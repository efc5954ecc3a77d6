/**
 * The content of a directory: blocks, each with its entries { nid, offset of the name, type } and then the names, in the
 * order of their bytes throughout. The last block ends with its last name.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { BLOCK_SIZE, DIRENT_SIZE, putLong } from "./format.ts";

/** What a name stands for. */
export interface NameTarget {
  readonly nid: number;
  readonly type: number;
}

/** How names fall into blocks. */
export interface BlockPlan {
  /** Index of the first name of each block. */
  readonly starts: readonly number[];
  /** Bytes of the directory. */
  readonly size: number;
}

/** @param names sorted by bytes, "." and ".." among them */
export function planBlocks(names: readonly ByteString[]): BlockPlan {
  const starts = [0];
  let used = 0;
  for (const [index, name] of names.entries()) {
    const need = DIRENT_SIZE + name.length;
    if (used + need > BLOCK_SIZE) {
      starts.push(index);
      used = 0;
    }
    used += need;
  }
  return { starts, size: (starts.length - 1) * BLOCK_SIZE + used };
}

/** Reused by every call. */
const scratch = new ArrayBuffer(BLOCK_SIZE);
const scratchWords = new Uint32Array(scratch);
const scratchBytes = Buffer.from(scratch);

/** Encodes one block, which ends with its last name. The result is valid until the next call. */
export function encodeBlock(
  names: readonly ByteString[],
  targetOf: (name: ByteString) => NameTarget,
): Uint8Array {
  let nameAt = names.length * DIRENT_SIZE;
  for (const [index, name] of names.entries()) {
    const { nid, type } = targetOf(name);
    const at = (index * DIRENT_SIZE) / 4;
    putLong(scratchWords, at, nid);
    scratchWords[at + 2] = nameAt | (type << 16);
    scratchBytes.write(name, nameAt, "latin1");
    nameAt += name.length;
  }
  return scratchBytes.subarray(0, nameAt);
}
