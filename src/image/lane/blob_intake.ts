/** The first part of a layer's way: takes its blob as it comes, checks size and digest, and keeps the blob. */
import { writeSync } from "node:fs";
import { BunkerError } from "../../errors.ts";
import { EarlyFlush } from "../../fs/early_flush.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, digestOfHex } from "../../oci/digest.ts";

/** A blob is not what the manifest says, or unpacks to something else than the config says. */
export class LayerMismatch extends BunkerError {
  readonly code = "CONTENT_MISMATCH";
}

/** What a layer must turn out to be. */
export interface ExpectedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** What {@link BlobIntake} checks against, and where the blob goes. */
export interface IntakeOptions {
  readonly expected: ExpectedLayer;
  /** Open file that the blob is written to; undefined when it is not kept. */
  readonly blobFd: number | undefined;
  /** Called with the bytes of each chunk, for progress. */
  readonly onBytes: (count: number) => void;
}

/** Takes one blob; it is what the manifest says once {@link finish} has returned. */
export class BlobIntake {
  readonly #options: IntakeOptions;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #flush: EarlyFlush | undefined;
  #size = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
    if (options.blobFd !== undefined) this.#flush = new EarlyFlush(options.blobFd);
  }

  /** @throws {LayerMismatch} when there are more bytes than there may be */
  push(chunk: Uint8Array): void {
    const { expected, blobFd, onBytes } = this.#options;
    this.#size += chunk.length;
    if (this.#size > expected.descriptor.size) {
      throw layerMismatch(expected, `it has more than ${expected.descriptor.size} bytes`);
    }
    this.#hasher.update(chunk);
    if (blobFd !== undefined) writeAll(blobFd, chunk);
    this.#flush?.reach(this.#size);
    onBytes(chunk.length);
  }

  /** @throws {LayerMismatch} */
  finish(): void {
    const { expected } = this.#options;
    const { digest, size } = expected.descriptor;
    if (this.#size !== size) throw layerMismatch(expected, `it has ${this.#size} bytes, not ${size}`);
    const found = digestOfHex(this.#hasher.digest("hex"));
    if (found !== digest) throw layerMismatch(expected, `its content is "${found}"`);
  }
}

/** The error for a layer that is something else. */
export function layerMismatch({ descriptor }: ExpectedLayer, state: string): LayerMismatch {
  return new LayerMismatch(`Cannot use layer "${descriptor.digest}": ${state}`, {
    hint: "Try again; when it stays so, the registry or a proxy serves a damaged layer",
  });
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
