/** Hashes a layer's archive: its digest, the layer's diffID, decides whether the layer is what the image's config says. */
import { digestOfHex } from "../../oci/digest.ts";
import { type ExpectedLayer, layerMismatch } from "./blob_intake.ts";
import type { ByteSink } from "./byte_sink.ts";

/** Follows one archive as it passes by. */
export class ArchiveCheck {
  readonly #expected: ExpectedLayer;
  readonly #hasher = new Bun.CryptoHasher("sha256");

  constructor(expected: ExpectedLayer) {
    this.#expected = expected;
  }

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  /** To be called at the end. @throws {LayerMismatch} when the archive has another digest */
  verify(): void {
    const { diffId } = this.#expected;
    const found = digestOfHex(this.#hasher.digest("hex"));
    if (found === diffId) return;
    throw layerMismatch(this.#expected, `it unpacks to "${found}", the image's config says "${diffId}"`);
  }
}

/** Hashes what it passes on. */
export class CheckedSink implements ByteSink {
  readonly #sink: ByteSink;
  readonly #check: ArchiveCheck;
  #slot: Uint8Array = new Uint8Array(0);

  constructor(sink: ByteSink, check: ArchiveCheck) {
    this.#sink = sink;
    this.#check = check;
  }

  acquire(): Uint8Array {
    this.#slot = this.#sink.acquire();
    return this.#slot;
  }

  commit(length: number): void {
    this.#check.update(this.#slot.subarray(0, length));
    this.#sink.commit(length);
  }
}
