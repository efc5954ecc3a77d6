/** The last part of a layer's way where one thread does all of it: hashes the archive, and unpacks it. */
import type { LayerResult } from "../unpack/applier.ts";
import { isLayerFault } from "../unpack/layer_error.ts";
import { LayerUnpacker } from "../unpack/layer_unpacker.ts";
import { ArchiveCheck } from "./archive_check.ts";
import type { ExpectedLayer } from "./blob_intake.ts";
import type { ByteSink } from "./byte_sink.ts";
import type { UnpackPlace } from "./job.ts";

const BUFFER_SIZE = 128 * 1024;

/** Unpacks one layer, which may be used once {@link finish} has returned. */
export class CheckedUnpacker implements ByteSink, Disposable {
  readonly #unpacker: LayerUnpacker;
  readonly #check: ArchiveCheck;
  #buffer: Uint8Array | undefined;
  /** What was wrong with the archive: told once it is certain that it is what the config says. */
  #fault: unknown;

  constructor({ directory, options }: UnpackPlace, expected: ExpectedLayer) {
    this.#unpacker = new LayerUnpacker(directory, options);
    this.#check = new ArchiveCheck(expected);
  }

  acquire(): Uint8Array {
    this.#buffer ??= new Uint8Array(new ArrayBuffer(BUFFER_SIZE));
    return this.#buffer;
  }

  /** @throws {UnpackError} */
  commit(length: number): void {
    const bytes = this.acquire().subarray(0, length);
    this.#check.update(bytes);
    if (this.#fault !== undefined) return;
    try {
      this.#unpacker.push(bytes);
    } catch (error) {
      if (!isLayerFault(error)) throw error;
      this.#fault = error;
    }
  }

  /** @throws {LayerMismatch} when the archive has another digest; {TarError} {LayerError} {UnpackError} */
  finish(): LayerResult {
    this.#check.verify();
    if (this.#fault !== undefined) throw this.#fault;
    return this.#unpacker.finish();
  }

  [Symbol.dispose](): void {
    this.#unpacker[Symbol.dispose]();
  }
}
