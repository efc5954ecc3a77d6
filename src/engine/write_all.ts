/** Writes to a descriptor that somebody else has opened. */
import { writeSync } from "node:fs";

/** Milliseconds between two tries while a pipe that does not block is full. */
const RETRY_MS = 5;

/** Chunks after which signals are looked at. */
const CHUNKS_AT_ONCE = 16;

/** Writes all bytes, whether the descriptor blocks or not. @throws what write(2) meets: EPIPE, ENOSPC … */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // The caller's end may be set to non-blocking.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(RETRY_MS);
    }
  }
}

/** Writes chunks as they are made. @throws the signal's reason when it is aborted */
export async function writeChunks(
  fd: number,
  chunks: Iterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  let count = 0;
  for (const chunk of chunks) {
    writeAll(fd, chunk);
    count += 1;
    if (count % CHUNKS_AT_ONCE !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}
