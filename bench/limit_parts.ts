/**
 * Usage: bun limit_parts.ts DIRECTORY LAYERS RUN
 *
 * Reads DIRECTORY/blob0 …, and prints the processor seconds of each part as JSON. Files are written to DIRECTORY/filesRUN.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Output, openInflater } from "../src/image/lane/inflate.ts";
import { TarReader } from "../src/image/tar/reader.ts";

/** Processor seconds, user and system. */
export interface LimitParts {
  readonly sha256: number;
  readonly inflate: number;
  readonly write: number;
}

/** As much as a pull hands over at once. */
const PIECE_SIZE = 128 * 1024;
const MICROSECONDS = 1e6;

interface File {
  readonly path: string;
  readonly parts: Uint8Array[];
}

function seconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MICROSECONDS;
}

function hash(bytes: Uint8Array): void {
  const hasher = new Bun.CryptoHasher("sha256");
  for (let at = 0; at < bytes.length; at += PIECE_SIZE) hasher.update(bytes.subarray(at, at + PIECE_SIZE));
  hasher.digest("hex");
}

/** Decompresses into one piece of memory, over and over, or hands each piece to `take`. */
function inflate(blob: Uint8Array, take: (bytes: Uint8Array) => void): void {
  const slot = new Uint8Array(new ArrayBuffer(PIECE_SIZE));
  let filled = 0;
  const out: Output = {
    room: () => ({ slot, filled }),
    advance: (length) => {
      filled += length;
      if (filled < slot.length) return;
      take(slot);
      filled = 0;
    },
    write: () => {
      throw new Error("Cannot happen: the blobs are compressed");
    },
  };
  const inflater = openInflater(blob, out);
  for (let at = 0; at < blob.length; at += PIECE_SIZE) void inflater.push(blob.subarray(at, at + PIECE_SIZE));
  void inflater.finish();
  inflater.close();
  take(slot.subarray(0, filled));
}

function archiveOf(blob: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  inflate(blob, (bytes) => void pieces.push(bytes.slice()));
  return Buffer.concat(pieces);
}

function filesOf(archive: Uint8Array): File[] {
  const files: File[] = [];
  const reader = new TarReader({
    onEntry: (entry) => {
      if (entry.type === "file") files.push({ path: entry.path, parts: [] });
    },
    onData: (bytes) => void files.at(-1)?.parts.push(bytes),
    onEntryEnd: () => undefined,
  });
  reader.push(archive);
  return files;
}

function writeFiles(root: string, files: readonly File[]): void {
  for (const { path, parts } of files) {
    const fd = openSync(`${root}/${path}`, "w");
    for (const part of parts) writeSync(fd, part);
    closeSync(fd);
  }
}

function main([directory = "", layers = "", run = ""]: readonly string[]): LimitParts {
  const blobs = Array.from({ length: Number(layers) }, (_, index) =>
    readFileSync(`${directory}/blob${index}`),
  );
  const sum = { sha256: 0, inflate: 0, write: 0 };
  for (const [index, blob] of blobs.entries()) {
    const archive = archiveOf(blob);
    const files = filesOf(archive);
    const root = `${directory}/files${run}-${index}`;
    for (const folder of new Set(files.map(({ path }) => dirname(path))))
      mkdirSync(`${root}/${folder}`, { recursive: true });
    sum.sha256 += seconds(() => {
      hash(blob);
      hash(archive);
    });
    sum.inflate += seconds(() => inflate(blob, () => undefined));
    sum.write += seconds(() => writeFiles(root, files));
  }
  return sum;
}

console.log(JSON.stringify(main(process.argv.slice(2))));
