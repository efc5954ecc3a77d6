/** The bytes of a layer's blob, from a registry or from the store. */
import { closeSync, openSync, readSync } from "node:fs";
import type { LayerSource } from "./job.ts";

const READ_SIZE = 128 * 1024;

/**
 * Chunks in order, each valid until the next is asked for; ending the iteration early closes the connection or file.
 */
export async function* layerChunks(source: LayerSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (source.kind === "file") {
    yield* fileChunks(source.path);
    return;
  }
  // HTTP is not loaded where a blob of the store is unpacked again.
  const { openBlob } = await import("../../registry/blob.ts");
  for await (const chunk of await openBlob(source.request, signal)) {
    yield chunk;
    // Memory outside the heap, which the collector does not feel: left to it, a pull peaks 10 MB higher (measured).
    if (chunk.buffer instanceof ArrayBuffer) chunk.buffer.transfer(0);
  }
}

function* fileChunks(path: string): Generator<Uint8Array> {
  const fd = openSync(path, "r");
  try {
    const buffer = new Uint8Array(new ArrayBuffer(READ_SIZE));
    for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer))
      yield buffer.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
