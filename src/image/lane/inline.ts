/** A small layer in the calling thread: starting Workers would take longer than the layer. */
import { closeSync, openSync } from "node:fs";
import type { LayerResult } from "../unpack/applier.ts";
import { isLayerFault } from "../unpack/layer_error.ts";
import { LayerUnpacker } from "../unpack/layer_unpacker.ts";
import type { ByteSink } from "./byte_sink.ts";
import { decodeLayer } from "./decode.ts";
import type { LayerJob } from "./job.ts";
import { layerChunks } from "./layer_chunks.ts";

const BUFFER_SIZE = 128 * 1024;

/** How a layer's progress and end are followed. */
export interface LayerWatch {
  readonly signal: AbortSignal;
  /** Called with the number of compressed bytes that came since the last call. */
  readonly onBytes: (count: number) => void;
}

/** Fetches and unpacks one layer. @throws as decodeLayer() and {@link LayerUnpacker} */
export async function unpackInline(job: LayerJob, { signal, onBytes }: LayerWatch): Promise<LayerResult> {
  const { source, expected, blobPath, directory, options } = job;
  const blobFd = blobPath === undefined ? undefined : openSync(blobPath, "wx", 0o600);
  try {
    using unpacker = new LayerUnpacker(directory, options);
    const sink = new DirectSink(unpacker);
    await decodeLayer(layerChunks(source, signal), sink, { expected, blobFd, onBytes });
    return sink.finish();
  } finally {
    if (blobFd !== undefined) closeSync(blobFd);
  }
}

class DirectSink implements ByteSink {
  readonly #unpacker: LayerUnpacker;
  readonly #buffer = new Uint8Array(new ArrayBuffer(BUFFER_SIZE));
  /** What was wrong with the archive: told once it is certain that it is what the manifest says. */
  #fault: unknown;

  constructor(unpacker: LayerUnpacker) {
    this.#unpacker = unpacker;
  }

  acquire(): Uint8Array {
    return this.#buffer;
  }

  commit(length: number): void {
    if (this.#fault !== undefined) return;
    try {
      this.#unpacker.push(this.#buffer.subarray(0, length));
    } catch (error) {
      if (!isLayerFault(error)) throw error;
      this.#fault = error;
    }
  }

  finish(): LayerResult {
    if (this.#fault !== undefined) throw this.#fault;
    return this.#unpacker.finish();
  }
}
