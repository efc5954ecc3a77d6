/** Sparse files come as files full of zeros: archives of layers know no holes (image-spec, layer.md). */

/** Shorter runs are not worth a hole of their own. */
const RUN_MIN = 1 << 16;
/** As much as is handed on at once. */
const ZEROS = Buffer.alloc(1 << 18);

/** True for a long run of zeros, which is as good as a hole. */
export function isLikeHole(bytes: Uint8Array): boolean {
  if (bytes.length < RUN_MIN || bytes.length > ZEROS.length || bytes[0] !== 0) return false;
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}
