/** The last part of a layer's way: hashes the archive, and unpacks it. The digest is the layer's diffID. */
import { type Digest, digestOfHex } from "../../oci/digest.ts";
import type { LayerResult } from "../unpack/applier.ts";
import { isLayerFault } from "../unpack/layer_error.ts";
import { LayerUnpacker } from "../unpack/layer_unpacker.ts";
import { type ExpectedLayer, layerMismatch } from "./blob_intake.ts";
import type { ByteSink } from "./byte_sink.ts";
import type { UnpackPlace } from "./job.ts";

const BUFFER_SIZE = 128 * 1024;

/** Unpacks one layer, which may be used once {@link finish} has returned. */
export class CheckedUnpacker implements ByteSink, Disposable {
  readonly #unpacker: LayerUnpacker;
  readonly #expected: ExpectedLayer;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #buffer: Uint8Array | undefined;
  /** What was wrong with the archive: told once it is certain that it is what the config says. */
  #fault: unknown;

  constructor({ directory, options }: UnpackPlace, expected: ExpectedLayer) {
    this.#unpacker = new LayerUnpacker(directory, options);
    this.#expected = expected;
  }

  acquire(): Uint8Array {
    this.#buffer ??= new Uint8Array(new ArrayBuffer(BUFFER_SIZE));
    return this.#buffer;
  }

  commit(length: number): void {
    this.take(this.acquire().subarray(0, length));
  }

  /** Takes the next bytes of the archive, which are not needed any more afterwards. @throws {UnpackError} */
  take(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
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
    this.#verify(digestOfHex(this.#hasher.digest("hex")));
    if (this.#fault !== undefined) throw this.#fault;
    return this.#unpacker.finish();
  }

  [Symbol.dispose](): void {
    this.#unpacker[Symbol.dispose]();
  }

  #verify(found: Digest): void {
    const { diffId } = this.#expected;
    if (found === diffId) return;
    throw layerMismatch(this.#expected, `it unpacks to "${found}", the image's config says "${diffId}"`);
  }
}
