/** Takes and decodes a layer in one thread. */
import { ArchiveDecoder } from "./archive_decoder.ts";
import { BlobIntake, type IntakeOptions } from "./blob_intake.ts";
import type { ByteSink } from "./byte_sink.ts";
import { CompressionError } from "./inflate.ts";

/**
 * Decodes a layer. What the sink gets is not checked against the diffID.
 * @throws {LayerMismatch} {CompressionError} and whatever `chunks` and `sink` throw
 */
export async function decodeLayer(
  chunks: AsyncIterable<Uint8Array>,
  sink: ByteSink,
  options: IntakeOptions,
): Promise<void> {
  const intake = new BlobIntake(options);
  using decoder = new ArchiveDecoder(sink);
  /** Kept until the digest is known: what cannot be decompressed is most often damaged on the way. */
  let fault: CompressionError | undefined;
  const keepFault = (error: unknown): void => {
    if (!(error instanceof CompressionError)) throw error;
    fault = error;
  };
  for await (const chunk of chunks) {
    intake.push(chunk);
    if (fault !== undefined) continue;
    try {
      await decoder.push(chunk);
    } catch (error) {
      keepFault(error);
    }
  }
  intake.finish();
  if (fault !== undefined) throw fault;
  await decoder.finish();
}
