/**
 * The four ways in which tar stores a file with holes: GNU's own type "S" with extension blocks, and the PAX forms
 * 0.0, 0.1 and 1.0 (GNU tar manual, "Storing Sparse Files").
 */
import {
  BLOCK_BYTES,
  type Bytes,
  bytesOf,
  concatBytes,
  encodeHeader,
  encodeNumber,
  type HeaderFields,
  type PaxRecord,
  paddedToBlock,
  writeChecksum,
} from "./tar_header.ts";

export interface SparseSegment {
  readonly offset: number;
  readonly data: Bytes;
}

/** A file of `realSize` bytes that is zero outside its segments. */
export interface SparseFile {
  readonly form: "gnu" | "pax-0.0" | "pax-0.1" | "pax-1.0";
  readonly realSize: number;
  readonly segments: readonly SparseSegment[];
}

/** What an ordinary PAX entry must hold to stand for a sparse file. */
export interface PaxSparse {
  readonly name: Bytes;
  readonly data: Uint8Array;
  readonly records: readonly PaxRecord[];
}

const STAND_IN_NAME = "./GNUSparseFile.1/sparse";
const HEADER_SEGMENTS = 4;
const EXTENSION_SEGMENTS = 21;
const NUMBER_BYTES = 12;
const GNU_MAP_OFFSET = 386;
const GNU_EXTENDED_OFFSET = 482;
const GNU_REAL_SIZE_OFFSET = 483;
const EXTENSION_EXTENDED_OFFSET = 504;

/** A sparse file in one of the PAX forms. */
export function paxSparse(name: Bytes, given: SparseFile): PaxSparse {
  const file = withEnd(given);
  const numbers = segmentNumbers(file);
  const size: PaxRecord = ["GNU.sparse.size", String(file.realSize)];
  const count: PaxRecord = ["GNU.sparse.numblocks", String(file.segments.length)];
  switch (file.form) {
    case "pax-1.0":
      return {
        name: STAND_IN_NAME,
        data: concatBytes([...paddedToBlock(mapText(file)), segmentData(file)]),
        records: [
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.minor", "0"],
          ["GNU.sparse.name", name],
          ["GNU.sparse.realsize", String(file.realSize)],
        ],
      };
    case "pax-0.1":
      return {
        name: STAND_IN_NAME,
        data: segmentData(file),
        records: [size, count, ["GNU.sparse.name", name], ["GNU.sparse.map", numbers.join(",")]],
      };
    default: {
      const keys = ["GNU.sparse.offset", "GNU.sparse.numbytes"] as const;
      const map = numbers.map((value, index): PaxRecord => [keys[index % 2] ?? keys[0], String(value)]);
      return { name, data: segmentData(file), records: [size, count, ...map] };
    }
  }
}

/** The blocks of a sparse file of GNU type "S": header, extension headers, data. */
export function gnuSparseBlocks(fields: HeaderFields, given: SparseFile): Uint8Array[] {
  const file = withEnd(given);
  const data = segmentData(file);
  const header = encodeHeader({ ...fields, format: "gnu", size: fields.size ?? data.length, type: "S" });
  const rest = file.segments.slice(HEADER_SEGMENTS);
  writeSegments(header, GNU_MAP_OFFSET, file.segments.slice(0, HEADER_SEGMENTS));
  header[GNU_EXTENDED_OFFSET] = rest.length > 0 ? 1 : 0;
  header.set(encodeNumber(file.realSize, NUMBER_BYTES), GNU_REAL_SIZE_OFFSET);
  writeChecksum(header);
  return [header, ...extensionBlocks(rest), ...paddedToBlock(data)];
}

/** A hole at the end is told by an empty segment behind it: without one GNU tar makes the file too short. */
function withEnd(file: SparseFile): SparseFile {
  const last = file.segments.at(-1);
  const end = last === undefined ? 0 : last.offset + bytesOf(last.data).length;
  return end < file.realSize
    ? { ...file, segments: [...file.segments, { offset: file.realSize, data: "" }] }
    : file;
}

function segmentData(file: SparseFile): Uint8Array {
  return concatBytes(file.segments.map((segment) => bytesOf(segment.data)));
}

function segmentNumbers(file: SparseFile): number[] {
  return file.segments.flatMap(({ offset, data }) => [offset, bytesOf(data).length]);
}

/** Form 1.0: decimal numbers, each with a newline, in front of the data. */
function mapText(file: SparseFile): Uint8Array {
  return bytesOf(`${[file.segments.length, ...segmentNumbers(file)].join("\n")}\n`);
}

function extensionBlocks(segments: readonly SparseSegment[]): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let start = 0; start < segments.length; start += EXTENSION_SEGMENTS) {
    const block = new Uint8Array(BLOCK_BYTES);
    writeSegments(block, 0, segments.slice(start, start + EXTENSION_SEGMENTS));
    block[EXTENSION_EXTENDED_OFFSET] = start + EXTENSION_SEGMENTS < segments.length ? 1 : 0;
    blocks.push(block);
  }
  return blocks;
}

function writeSegments(block: Uint8Array, offset: number, segments: readonly SparseSegment[]): void {
  segments.forEach((segment, index) => {
    const at = offset + index * 2 * NUMBER_BYTES;
    block.set(encodeNumber(segment.offset, NUMBER_BYTES), at);
    block.set(encodeNumber(bytesOf(segment.data).length, NUMBER_BYTES), at + NUMBER_BYTES);
  });
}
