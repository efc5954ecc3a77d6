/**
 * Sparse files: which parts of a file an archive holds. Four forms exist: GNU's old header type "S" with its
 * extension blocks, and PAX formats 0.0 (repeated keys), 0.1 (one list) and 1.0 (list in front of the data).
 * GNU tar manual, "Storing Sparse Files".
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { limits, TarError } from "./entry.ts";
import { number } from "./header.ts";
import { paxInteger } from "./pax.ts";

/** A run of bytes that the archive holds; the rest of the file is zeros. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** A pair takes 24 bytes in the old form, and at least 4 in the others: this bounds both. */
const SEGMENTS_MAX = limits.sparseMapBytes / 4;
/** Digits of the largest number: paxInteger() takes no longer text. */
const NUMBER_LENGTH_MAX = 16;
const PAIR_SIZE = 24;
const FIELD_SIZE = 12;
const HEADER_MAP = { offset: 386, pairs: 4, more: 482 };
const EXTENSION_MAP = { offset: 0, pairs: 21, more: 504 };

/** The map in a header of type "S". */
export const parseHeaderMap = (block: Buffer): BlockMap => parseBlockMap(block, HEADER_MAP);

/** The map in one of the blocks that follow such a header. */
export const parseExtensionMap = (block: Buffer): BlockMap => parseBlockMap(block, EXTENSION_MAP);

/** Size of the file with its holes, from a header of type "S". */
export const headerRealSize = (block: Buffer): number => number(block, 483, FIELD_SIZE);

interface BlockMap {
  readonly segments: readonly Segment[];
  /** True when another map block follows. */
  readonly more: boolean;
}

function parseBlockMap(block: Buffer, map: typeof HEADER_MAP): BlockMap {
  const segments: Segment[] = [];
  for (let pair = 0; pair < map.pairs; pair += 1) {
    const at = map.offset + pair * PAIR_SIZE;
    if (block[at] === 0) break;
    segments.push({
      offset: number(block, at, FIELD_SIZE),
      length: number(block, at + FIELD_SIZE, FIELD_SIZE),
    });
  }
  return { segments, more: block[map.more] !== 0 };
}

/** Offsets and lengths in turn, as PAX formats 0.0 and 0.1 have them. @throws {TarError} when they do not pair. */
export function parsePairs(numbers: readonly ByteString[]): Segment[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * SEGMENTS_MAX) {
    throw new TarError("Cannot read archive: a sparse map is cut short or too long");
  }
  const segments: Segment[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    segments.push({
      offset: paxInteger("GNU.sparse.map", numbers[index] ?? ""),
      length: paxInteger("GNU.sparse.map", numbers[index + 1] ?? ""),
    });
  }
  return segments;
}

/** The list in front of the data in PAX format 1.0: a count, then offsets and lengths, a line each. */
export class DataMap {
  readonly #numbers: ByteString[] = [];
  #count: number | undefined;
  /** The beginning of a line. */
  #rest: ByteString = "";
  #bytes = 0;

  /** Bytes that were read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Reads on; a map may have two thousand blocks, so each is looked at once.
   * @returns undefined when another block is needed
   * @throws {TarError} when it is not such a list, or is too long
   */
  push(block: ByteString): Segment[] | undefined {
    this.#bytes += block.length;
    if (this.#bytes > limits.sparseMapBytes) throw tooLong();
    const lines = (this.#rest + block).split("\n");
    // Not ended by a line feed: padding, or a number that is cut.
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (this.#count === undefined) this.#count = countOf(line);
      else if (this.#numbers.length < 2 * this.#count) this.#numbers.push(line);
    }
    if (this.#count !== undefined && this.#numbers.length === 2 * this.#count)
      return parsePairs(this.#numbers);
    if (this.#rest.length > NUMBER_LENGTH_MAX) paxInteger("GNU.sparse.map", this.#rest);
    return undefined;
  }
}

function countOf(line: ByteString): number {
  const count = paxInteger("GNU.sparse.numblocks", line);
  if (count > SEGMENTS_MAX) throw tooLong();
  return count;
}

const tooLong = (): TarError => new TarError("Cannot read archive: a sparse map is too long");

/**
 * Checks a map against the sizes that the headers claim.
 * @throws {TarError} unless segments ascend, stay within the file, and add up to what the archive holds; GNU's own form
 * has numbers in base 256, which may be negative
 */
export function validateMap(segments: readonly Segment[], realSize: number, storedSize: number): void {
  let end = 0;
  let stored = 0;
  if (realSize < 0) throw new TarError("Cannot read archive: the size of a sparse file is negative");
  for (const { offset, length } of segments) {
    if (length < 0) throw new TarError("Cannot read archive: a sparse map has a negative length");
    if (offset < end || offset + length > realSize) {
      throw new TarError("Cannot read archive: a sparse map overlaps or passes the end of its file");
    }
    end = offset + length;
    stored += length;
  }
  if (stored !== storedSize) {
    throw new TarError(`Cannot read archive: a sparse map holds ${stored} bytes, the archive ${storedSize}`);
  }
}
