/**
 * Writes images as one tar archive: an OCI layout, with docker's manifest.json beside it, as `docker save` does since
 * version 25. The same images give the same bytes. Every blob is hashed as it goes out.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { Header } from "tar";
import { BunkerError } from "../../errors.ts";
import { blobPath, type Digest } from "../../oci/digest.ts";
import { OCI_INDEX } from "../../oci/media_type.ts";
import { BLOCK_SIZE } from "../tar/header.ts";
import { END, padding, recordPadding } from "../tar/writer.ts";

/** A blob of the store is missing, or not what its digest says. */
export class BlobDamagedError extends BunkerError {
  readonly code = "IMAGE_DAMAGED";
}

/** A blob of the store. */
export interface ArchiveBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** One image of an archive. */
export interface ArchiveImage {
  /** Full names with their tags; none for an image that was asked for by its id. */
  readonly names: readonly { readonly full: string; readonly familiar: string; readonly tag: string }[];
  readonly mediaType: string;
  readonly manifest: ArchiveBlob;
  readonly config: ArchiveBlob;
  /** Bottom first. */
  readonly layers: readonly ArchiveBlob[];
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

const CHUNK = 1 << 20;

/**
 * The bytes of an archive, in chunks that are valid until the next is asked for.
 * @throws {BlobDamagedError} in the middle: what was written then is of no use
 */
export function* writeArchive(root: string, images: readonly ArchiveImage[]): Generator<Uint8Array> {
  let written = 0;
  for (const chunk of entriesOf(root, images)) {
    written += chunk.length;
    yield chunk;
  }
  yield END;
  yield recordPadding(written + END.length);
}

function* entriesOf(root: string, images: readonly ArchiveImage[]): Generator<Uint8Array> {
  yield* document("oci-layout", { imageLayoutVersion: "1.0.0" });
  yield* document("index.json", indexOf(images));
  yield* document("manifest.json", images.map(dockerEntry));
  yield header("blobs/", { directory: true, size: 0 });
  yield header("blobs/sha256/", { directory: true, size: 0 });
  const blobs = images.flatMap(({ manifest, config, layers }) => [manifest, config, ...layers]);
  const distinct = new Map(blobs.map((blob) => [blob.digest, blob]));
  for (const digest of [...distinct.keys()].sort()) {
    const blob = distinct.get(digest);
    if (blob !== undefined) yield* blobEntry(root, blob);
  }
}

function indexOf(images: readonly ArchiveImage[]): object {
  const manifests = images.flatMap(({ names, mediaType, manifest, platform }) => {
    const descriptor = { mediaType, digest: manifest.digest, size: manifest.sizeBytes };
    const annotations = names.map(({ full, tag }) => ({
      "io.containerd.image.name": full,
      "org.opencontainers.image.ref.name": tag,
    }));
    return annotations.length === 0
      ? [{ ...descriptor, platform }]
      : annotations.map((each) => ({ ...descriptor, annotations: each, platform }));
  });
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
}

function dockerEntry({ names, config, layers }: ArchiveImage): object {
  return {
    Config: blobPath(config.digest),
    RepoTags: names.length === 0 ? null : names.map(({ familiar }) => familiar),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

function* document(path: string, content: object): Generator<Uint8Array> {
  const bytes = Buffer.from(JSON.stringify(content));
  yield header(path, { directory: false, size: bytes.length });
  yield bytes;
  yield padding(bytes.length);
}

function* blobEntry(root: string, { digest, sizeBytes }: ArchiveBlob): Generator<Uint8Array> {
  const fd = openBlob(root, digest);
  try {
    yield header(blobPath(digest), { directory: false, size: sizeBytes });
    const hasher = new Bun.CryptoHasher("sha256");
    const buffer = new Uint8Array(CHUNK);
    let left = sizeBytes;
    while (left > 0) {
      const length = readSync(fd, buffer, 0, Math.min(left, CHUNK), null);
      if (length === 0) throw damaged(digest, "it is cut short");
      hasher.update(buffer.subarray(0, length));
      left -= length;
      yield buffer.subarray(0, length);
    }
    if (`sha256:${hasher.digest("hex")}` !== digest) throw damaged(digest, "its content is something else");
    yield padding(sizeBytes);
  } finally {
    closeSync(fd);
  }
}

function openBlob(root: string, digest: Digest): number {
  try {
    return openSync(`${root}/${blobPath(digest)}`, "r");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") throw damaged(digest, "it is not here any more");
    throw cause;
  }
}

function damaged(digest: Digest, state: string): BlobDamagedError {
  return new BlobDamagedError(`Cannot save blob "${digest}": ${state}`, {
    hint: "Run bunker system check --repair, and pull the image again",
  });
}

function header(
  path: string,
  { directory, size }: { readonly directory: boolean; readonly size: number },
): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE);
  const type = directory ? "Directory" : "File";
  const entry = new Header({
    path,
    type,
    size,
    mode: directory ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: new Date(0),
  });
  entry.encode(block, 0);
  return block;
}
