/** Carries a blob from the main thread, which fetches and checks it, into the ring of the Worker that decodes it. */
import { closeSync, openSync } from "node:fs";
import { BlobIntake } from "./blob_intake.ts";
import type { LayerWatch } from "./inline.ts";
import type { LayerJob } from "./job.ts";
import { layerChunks } from "./layer_chunks.ts";
import { RingWriter } from "./ring.ts";

/**
 * Fetches a layer's blob, keeps it, and passes it on; never blocks the thread.
 * @throws {LayerMismatch} {RegistryError} {RingAborted} when the Worker has given up
 */
export async function fillRing(job: LayerJob, ring: SharedArrayBuffer, watch: LayerWatch): Promise<void> {
  const { source, expected, blobPath } = job;
  const blobFd = blobPath === undefined ? undefined : openSync(blobPath, "wx", 0o600);
  try {
    const intake = new BlobIntake({ expected, blobFd, onBytes: watch.onBytes });
    const writer = new RingWriter(ring);
    for await (const chunk of layerChunks(source, watch.signal)) {
      intake.push(chunk);
      for (let at = 0; at < chunk.length; ) {
        // One slot after the other.
        const slot = await writer.acquireLater();
        const length = Math.min(slot.length, chunk.length - at);
        slot.set(chunk.subarray(at, at + length));
        writer.commit(length);
        at += length;
      }
    }
    intake.finish();
    writer.end();
  } finally {
    if (blobFd !== undefined) closeSync(blobFd);
  }
}
