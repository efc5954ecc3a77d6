/**
 * Content digests (image-spec, descriptor.md#digests). A digest is checked once, here, and is a type of its own from
 * then on: it has no "/" and no "..", so it may stand in a path or a URL (CVE-2024-3727). Only sha256 is taken: no
 * registry in use serves images by another algorithm. Imports nothing, since `run` of a local image loads it.
 */
declare const brand: unique symbol;

/** `sha256:` and 64 lower-case hex digits; only {@link parseDigest} makes one. */
export type Digest = `sha256:${string}` & { readonly [brand]: "Digest" };

const PATTERN = /^sha256:[0-9a-f]{64}$/;
const PREFIX_LENGTH = "sha256:".length;
const SHOWN_LENGTH_MAX = 100;

/** True when `text` is `sha256:<64 lower-case hex digits>`. */
export function isDigest(text: string): text is Digest {
  return PATTERN.test(text);
}

/** @throws {SyntaxError} unless `text` is `sha256:<64 lower-case hex digits>` */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX));
  throw new SyntaxError(`Cannot parse digest ${shown}: expected "sha256:" and 64 lower-case hex digits`);
}

/**
 * The digest of a finished sha256 computation.
 * @param hex 64 lower-case hex digits
 * @throws {SyntaxError} when they are not
 */
export function digestOfHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}

/** The 64 hex digits. */
export function digestHex(digest: Digest): string {
  return digest.slice(PREFIX_LENGTH);
}

/** Relative path of a blob in an OCI image layout, `blobs/sha256/<64 hex>` (image-spec, image-layout.md). */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

/** The digest of bytes in memory. */
export function digestOfBytes(bytes: Uint8Array): Digest {
  return digestOfHex(new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));
}
