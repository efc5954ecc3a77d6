/**
 * A blob that turns out to be another one when its last byte has come: one of several places that have it, a mirror for
 * one, is damaged or lies. Then the next is asked, from the beginning.
 */
import { BunkerError } from "../errors.ts";
import type { BlobRequest } from "../registry/blob.ts";

/** The request without the source that was wrong; undefined when the error is another one, or no source is left. */
export function nextRequest(request: BlobRequest, error: unknown): BlobRequest | undefined {
  const isMismatch = error instanceof BunkerError && error.code === "CONTENT_MISMATCH";
  if (!isMismatch || request.sources.length < 2) return undefined;
  return { ...request, sources: request.sources.slice(1) };
}

/** Works with the sources one after the other. @param forget removes what the work has left */
export async function fromNextSource<Result>(
  request: BlobRequest,
  work: (request: BlobRequest) => Promise<Result>,
  forget: () => void,
): Promise<Result> {
  for (let current = request; ; ) {
    try {
      // One after the other: the next is asked because this one was wrong.
      return await work(current);
    } catch (error) {
      const next = nextRequest(current, error);
      if (next === undefined) throw error;
      forget();
      current = next;
    }
  }
}
