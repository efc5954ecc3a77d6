/** Worker, first half of a lane: blob → digest → decompression → diffID → ring. One message, one layer, one answer. */
import { closeSync, openSync } from "node:fs";
import { decodeLayer } from "./decode.ts";
import { toErrorData } from "./error_data.ts";
import type { DecodeAnswer, DecodeMessage, StopMessage } from "./job.ts";
import { layerChunks } from "./layer_chunks.ts";
import { abortRing, addProgress, RingAborted, RingWriter } from "./ring.ts";

/**
 * Each chunk from the network is a buffer of its own outside the heap, which the collector does not feel: without a
 * push every 2 MiB a pull peaks 20 MB higher (measured; the pushes take 2 % of the time).
 */
const COLLECTION_BYTES = 2 << 20;

declare const self: Worker;

let stop = new AbortController();

self.onmessage = async ({ data }: MessageEvent<DecodeMessage | StopMessage>) => {
  if (data.kind === "stop") {
    stop.abort();
    return;
  }
  stop = new AbortController();
  self.postMessage(await decode(data, stop.signal));
};

async function decode({ job, ring }: DecodeMessage, signal: AbortSignal): Promise<DecodeAnswer> {
  const { source, expected, blobPath } = job;
  let blobFd: number | undefined;
  try {
    blobFd = blobPath === undefined ? undefined : openSync(blobPath, "wx", 0o600);
    const writer = new RingWriter(ring);
    let sinceCollection = 0;
    const onBytes = (count: number): void => {
      addProgress(ring, count);
      sinceCollection += count;
      if (sinceCollection < COLLECTION_BYTES) return;
      sinceCollection = 0;
      Bun.gc(true);
    };
    await decodeLayer(layerChunks(source, signal), writer, { expected, blobFd, onBytes });
    writer.end();
    return { kind: "done", result: undefined };
  } catch (error) {
    abortRing(ring);
    const isStopped = error instanceof RingAborted || signal.aborted;
    return isStopped ? { kind: "aborted" } : { kind: "failed", error: toErrorData(error) };
  } finally {
    if (blobFd !== undefined) closeSync(blobFd);
  }
}
