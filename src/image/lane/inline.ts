/** A small layer in the calling thread: starting Workers would take longer than the layer. */
import { closeSync, openSync } from "node:fs";
import type { LayerResult } from "../unpack/applier.ts";
import { CheckedUnpacker } from "./checked_unpacker.ts";
import { decodeLayer } from "./decode.ts";
import type { LayerJob } from "./job.ts";
import { layerChunks } from "./layer_chunks.ts";

/** How a layer's progress and end are followed. */
export interface LayerWatch {
  readonly signal: AbortSignal;
  /** Called with the number of compressed bytes that came since the last call. */
  readonly onBytes: (count: number) => void;
}

/** Fetches and unpacks one layer. @throws as decodeLayer() and {@link CheckedUnpacker} */
export async function unpackInline(job: LayerJob, { signal, onBytes }: LayerWatch): Promise<LayerResult> {
  const { source, expected, blobPath } = job;
  const blobFd = blobPath === undefined ? undefined : openSync(blobPath, "wx", 0o600);
  try {
    using unpacker = new CheckedUnpacker(job, expected);
    await decodeLayer(layerChunks(source, signal), unpacker, { expected, blobFd, onBytes });
    return unpacker.finish();
  } finally {
    if (blobFd !== undefined) closeSync(blobFd);
  }
}
