/**
 * Makes the blob of a new layer: the archive passes by, is hashed, compressed and written. The same archive gives the
 * same blob: gzip of level 6, without a time or a name in its header.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOfHex } from "../oci/digest.ts";
import { GzipBlocks } from "./gzip_blocks.ts";

/** A layer that is ready to be stored. */
export interface NewLayer {
  /** Absolute path of the compressed archive. */
  readonly path: string;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

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
  const hasher = new Bun.CryptoHasher("sha256");
  const fd = openSync(path, "wx", 0o600);
  let size = 0;
  try {
    const gzip = new GzipBlocks((bytes) => {
      hasher.update(bytes);
      size += bytes.length;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    });
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      diffHasher.update(chunk);
      await gzip.push(chunk);
    }
    await gzip.end();
    const digest = digestOfHex(hasher.digest("hex"));
    const diffId = digestOfHex(diffHasher.digest("hex"));
    return { path, diffId, descriptor: { mediaType: GZIP_LAYER, digest, size } };
  } finally {
    closeSync(fd);
  }
}
