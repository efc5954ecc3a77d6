/** Decodes the blob that comes through a ring. */
import { ArchiveDecoder } from "./archive_decoder.ts";
import type { ByteSink } from "./byte_sink.ts";
import { onPiece } from "./compile_policy.ts";
import { CompressionError } from "./inflate.ts";
import { abortRing, leaveRing, RingReader } from "./ring.ts";

/**
 * Reads a blob to its end, and hands the archive in it to a sink.
 * @throws {CompressionError} {RingAborted} when the blob ends for good before its end, and whatever the
 * sink throws
 */
export async function decodeRing(blob: SharedArrayBuffer, sink: ByteSink): Promise<void> {
  using decoder = new ArchiveDecoder(sink);
  const reader = new RingReader(blob);
  try {
    for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) {
      const pending = decoder.push(bytes);
      // Only where the runtime lacks the synchronous way.
      if (pending !== undefined) await pending;
      reader.release();
      onPiece();
    }
    await decoder.finish();
  } catch (error) {
    // What cannot be decompressed is most often damaged on the way: whoever fetches it finds out.
    if (error instanceof CompressionError) leaveRing(blob);
    else abortRing(blob);
    throw error;
  }
}
