/** Unpacks in the thread that decodes. */
import type { LayerResult } from "../unpack/applier.ts";
import { isLayerFault } from "../unpack/layer_error.ts";
import type { LayerUnpacker } from "../unpack/layer_unpacker.ts";
import type { ByteSink } from "./byte_sink.ts";

const BUFFER_SIZE = 128 * 1024;

/** Hands an archive to an unpacker, piece by piece. */
export class UnpackSink implements ByteSink {
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

  /** @throws {TarError} {LayerError} {UnpackError} */
  finish(): LayerResult {
    if (this.#fault !== undefined) throw this.#fault;
    return this.#unpacker.finish();
  }
}
