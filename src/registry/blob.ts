/**
 * Fetches one blob as a stream of its raw bytes. Needs nothing but a {@link BlobRequest}, which is plain data, so that a
 * Worker can fetch by itself; tokens that expire meanwhile are renewed. A broken connection is taken up where it broke
 * (Range). Size is enforced here; the digest is for the consumer to check, who reads every byte anyway.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import type { Exchange } from "./exchange.ts";
import { mostTelling, RegistryError } from "./registry_error.ts";
import { delay, RetryBudget } from "./retry.ts";
import { Session } from "./session.ts";
import type { AccessSettings } from "./token.ts";

/** One place that may have the blob. */
export interface BlobSource {
  readonly settings: AccessSettings;
  /** Authorization that worked a moment ago. */
  readonly authorization?: string | undefined;
}

/** Everything that fetching a blob takes; can be posted to a Worker. Holds secrets: never print it. */
export interface BlobRequest {
  readonly repository: string;
  readonly descriptor: Descriptor;
  /** Asked in order until one has it. */
  readonly sources: readonly BlobSource[];
}

/** A break after this much more of the blob costs nothing of the retries. */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * Opens a blob.
 * @param request from `RegistryClient.blobRequest()`
 * @param start the first byte that is wanted
 * @returns exactly the bytes from `start` up to `descriptor.size`, or an error in the stream; cancelling it ends the connection
 * @throws {RegistryError} when no source has it; later, as the stream's error, when it is cut short for good
 * (REGISTRY_UNREACHABLE) or does not have the size (CONTENT_MISMATCH)
 */
export async function openBlob(
  request: BlobRequest,
  signal?: AbortSignal,
  start = 0,
): Promise<ReadableStream<Uint8Array>> {
  const cancelled = new AbortController();
  const either = signal === undefined ? cancelled.signal : AbortSignal.any([signal, cancelled.signal]);
  const { session, exchange } = await openSource(request, either, start);
  const chunks = blobChunks({ request, session, signal: either, start }, exchange);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        // A generator that waits for bytes hears of its end only when they come: the abort lets it go at once, with an
        // error that nobody waits for any more.
        cancelled.abort(reason);
        await Promise.allSettled([chunks.return()]);
      },
    },
    { highWaterMark: 0 },
  );
}

interface Fetching {
  readonly request: BlobRequest;
  readonly session: Session;
  readonly signal: AbortSignal | undefined;
  readonly start: number;
}

async function openSource(
  request: BlobRequest,
  signal: AbortSignal | undefined,
  start: number,
): Promise<{ session: Session; exchange: Exchange }> {
  const errors: RegistryError[] = [];
  // One after the other: a mirror is asked so that the next need not be.
  for (const source of request.sources) {
    const session = new Session(source.settings);
    if (source.authorization !== undefined) session.seed(request.repository, source.authorization);
    try {
      return { session, exchange: await openAt({ request, session, signal, start }, start) };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      errors.push(error);
    }
  }
  throw mostTelling(errors);
}

/** The reply that begins at byte `offset`, or earlier when the server ignores Range. */
async function openAt({ request, session, signal }: Fetching, offset: number): Promise<Exchange> {
  const { digest, size } = request.descriptor;
  const what = `blob "${digest}"`;
  const headers = offset === 0 ? {} : { Range: `bytes=${offset}-` };
  const exchange = await session.request({
    repository: request.repository,
    kind: "blobs",
    name: digest,
    headers,
    what,
    signal,
  });
  if (exchange.status !== 200 && exchange.status !== 206) throw await session.errorOf(exchange, what);
  const announced = announcedSize(exchange, offset);
  if (announced !== undefined && announced !== size) {
    await exchange.discard();
    throw wrongSize(request.descriptor, announced);
  }
  return exchange;
}

/** All bytes in order; after a break it goes on from another reply, as long as there is some progress. */
async function* blobChunks(
  fetching: Fetching,
  first: Exchange,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const { descriptor, sources } = fetching.request;
  const retry = sources[0]?.settings.retry;
  const progress = { offset: fetching.start };
  let budget = new RetryBudget(retry);
  let paidOffset = fetching.start;
  let exchange = first;
  for (;;) {
    try {
      yield* remainingChunks(exchange, descriptor, progress);
      return;
    } catch (error) {
      if (!(error instanceof RegistryError) || !error.retryable) throw error;
      if (progress.offset - paidOffset >= PROGRESS_BYTES) {
        budget = new RetryBudget(retry);
        paidOffset = progress.offset;
      }
      const delayMs = budget.take();
      if (delayMs === undefined) throw error;
      await delay(delayMs, fetching.signal);
      exchange = await openAt(fetching, progress.offset);
    }
  }
}

async function* remainingChunks(
  exchange: Exchange,
  descriptor: Descriptor,
  progress: { offset: number },
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  let position = startOf(exchange);
  if (position > progress.offset) throw protocolError(descriptor, "the reply to a Range begins too late");
  for await (const chunk of exchange.chunks()) {
    const known = Math.min(progress.offset - position, chunk.length);
    position += chunk.length;
    if (position > descriptor.size) throw wrongSize(descriptor, position);
    if (known === chunk.length) continue;
    progress.offset = position;
    yield known === 0 ? chunk : chunk.subarray(known);
  }
  if (progress.offset < descriptor.size) throw cutShort(descriptor, progress.offset);
}

/** First byte of the reply: 0 unless it is a part. */
function startOf(exchange: Exchange): number {
  if (exchange.status !== 206) return 0;
  const match = /^bytes ([0-9]{1,15})-/.exec(exchange.header("content-range") ?? "");
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]);
}

/** Size of the whole blob as the head of the reply has it; undefined when it does not say. */
function announcedSize(exchange: Exchange, offset: number): number | undefined {
  const length = exchange.header("content-length");
  if (length === null || exchange.header("content-encoding") !== null) return undefined;
  return Number(length) + (exchange.status === 206 ? offset : 0);
}

function wrongSize({ digest, size }: Descriptor, found: number): RegistryError {
  return new RegistryError(`Cannot read blob "${digest}": it has ${found} bytes or more instead of ${size}`, {
    code: "CONTENT_MISMATCH",
  });
}

function cutShort({ digest, size }: Descriptor, found: number): RegistryError {
  return new RegistryError(`Cannot read blob "${digest}": it ends after ${found} of ${size} bytes`, {
    code: "CONTENT_MISMATCH",
    retryable: true,
  });
}

function protocolError({ digest }: Descriptor, state: string): RegistryError {
  return new RegistryError(`Cannot read blob "${digest}": ${state}`, { code: "REGISTRY_PROTOCOL" });
}
