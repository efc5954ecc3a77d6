/**
 * Decompresses a stream of which no digest is known, as a file that a person hands in: by its first bytes gzip, zstd or
 * nothing. It is done in this process; no program is started, whatever the stream holds (CVE-2026-41567).
 */
import { type ByteSink, SlotWriter } from "./lane/byte_sink.ts";
import { CompressionError, type Inflater, MAGIC_LENGTH, openInflater } from "./lane/inflate.ts";
import { ZstdFrames } from "./lane/zstd_frames.ts";

/** Compressed bytes that are decompressed at one time: they become at most a thousand times as many. */
const PIECE_SIZE = 16 * 1024;
const BUFFER_SIZE = 256 * 1024;
const ZSTD = "28b52ffd";

/**
 * The decompressed bytes, in chunks that are the receiver's to keep.
 * @throws {CompressionError} for xz and bzip2, for damage, and for a stream that is cut short
 */
export async function* decompressed(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const queue: Uint8Array[] = [];
  let buffer = new Uint8Array(0);
  const sink: ByteSink = {
    acquire: () => {
      buffer = new Uint8Array(BUFFER_SIZE);
      return buffer;
    },
    commit: (length) => queue.push(buffer.subarray(0, length)),
  };
  const out = new SlotWriter(sink);
  let inflater: Inflater | undefined;
  let frames: ZstdFrames | undefined;
  try {
    for await (const piece of piecesOf(chunks)) {
      if (inflater === undefined) {
        inflater = openInflater(piece, out);
        frames = isZstd(piece) ? new ZstdFrames() : undefined;
      }
      frames?.push(piece);
      await inflater.push(piece);
      yield* queue.splice(0);
    }
    await inflater?.finish();
    if (frames?.isComplete === false) {
      throw new CompressionError("Cannot decompress layer: unexpected end of file");
    }
    out.finish();
    yield* queue.splice(0);
  } finally {
    inflater?.close();
  }
}

/** A skippable frame may come first. */
function isZstd(head: Uint8Array): boolean {
  const magic = Buffer.from(head.subarray(0, 4)).toString("hex");
  return magic === ZSTD || /^5.2a4d18$/.test(magic);
}

/** The same bytes in small pieces, the first long enough to tell the format, unless that is all. */
async function* piecesOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes: Uint8Array = head === undefined ? chunk : Buffer.concat([head, chunk]);
    head = bytes.length < MAGIC_LENGTH && head !== undefined ? bytes : undefined;
    if (head !== undefined) continue;
    for (let at = 0; at < bytes.length; at += PIECE_SIZE) yield bytes.subarray(at, at + PIECE_SIZE);
  }
  if (head !== undefined && head.length > 0) yield head;
}
