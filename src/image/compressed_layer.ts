/**
 * Makes the blob of a new layer: the archive passes by, is hashed, compressed and written. The same archive gives the
 * same blob: gzip of level 6, without a time or a name in its header.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { createGzip, type Gzip } from "node:zlib";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOfHex } from "../oci/digest.ts";

/** A layer that is ready to be stored. */
export interface NewLayer {
  /** Absolute path of the compressed archive. */
  readonly path: string;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

const LEVEL = 6;
const CHUNK_SIZE = 256 * 1024;
/** OCI's name; a manifest of docker's form has another. */
export const GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/**
 * Compresses an archive into the new file `path`; what is left after an error is for the caller to remove.
 * @param chunks each is valid until the next is asked for
 * @throws node:fs errors: ENOSPC, EDQUOT
 */
export async function compressLayer(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<NewLayer> {
  const diffHasher = new Bun.CryptoHasher("sha256");
  const fd = openSync(path, "wx", 0o600);
  const gzip = createGzip({ level: LEVEL, chunkSize: CHUNK_SIZE });
  try {
    const blob = new BlobWriter(gzip, fd);
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      diffHasher.update(chunk);
      await blob.write(chunk);
    }
    const { size, digest } = await blob.end();
    const diffId = digestOfHex(diffHasher.digest("hex"));
    return { path, diffId, descriptor: { mediaType: GZIP_LAYER, digest, size } };
  } finally {
    gzip.destroy();
    closeSync(fd);
  }
}

/** Writes what the compressor gives into a file. */
class BlobWriter {
  readonly #gzip: Gzip;
  readonly #ended: Promise<void>;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #size = 0;

  constructor(gzip: Gzip, fd: number) {
    this.#gzip = gzip;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ended = promise;
    gzip.on("error", reject);
    gzip.on("end", resolve);
    gzip.on("data", (bytes: Buffer) => {
      try {
        this.#hasher.update(bytes);
        this.#size += bytes.length;
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      } catch (error) {
        // Whoever writes next gets it: an event has nobody to throw to.
        reject(error);
      }
    });
    // Reported by write() or end(), whichever comes first.
    promise.catch(() => undefined);
  }

  /** Comes back when the bytes are used: they are the caller's again. */
  async write(bytes: Uint8Array): Promise<void> {
    const used = new Promise<void>((resolve) => {
      this.#gzip.write(bytes, () => resolve());
    });
    await Promise.race([used, this.#ended]);
  }

  async end(): Promise<{ readonly size: number; readonly digest: Digest }> {
    this.#gzip.end();
    await this.#ended;
    return { size: this.#size, digest: digestOfHex(this.#hasher.digest("hex")) };
  }
}
