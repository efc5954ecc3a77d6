/**
 * Fetches one blob as a stream of its raw bytes. Needs nothing but a {@link BlobRequest}, which is plain data, so that a
 * Worker can fetch by itself; tokens that expire meanwhile are renewed. A broken connection is taken up where it broke
 * (Range), at the next source when this one stays broken. Size is enforced here; the digest is for the consumer to check,
 * who reads every byte anyway.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import type { Exchange } from "./exchange.ts";
import { parsePart, startOf } from "./part.ts";
import { mostTelling, RegistryError } from "./registry_error.ts";
import { delay, RetryBudget } from "./retry.ts";
import { Session } from "./session.ts";
import type { AccessSettings } from "./token.ts";

/** One place that may have the blob. */
export interface BlobSource {
  readonly settings: AccessSettings;
  /** Authorization that worked a moment ago. */
  readonly authorization?: string | undefined;
  /** Where a foreign layer lies: asked as it is, without credentials and without answering a challenge (CVE-2020-15157). */
  readonly url?: string;
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
  const { data } = request.descriptor;
  if (data !== undefined) return new Blob([new Uint8Array(data.subarray(start))]).stream();
  const reader = new BlobReader(request, { signal: either, start });
  await reader.open();
  const chunks = reader.chunks();
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

/** A request with its place among the sources and in the blob. */
class BlobReader {
  readonly #request: BlobRequest;
  readonly #signal: AbortSignal;
  /** Sources that have not been asked yet. */
  readonly #sources: BlobSource[];
  readonly #errors: RegistryError[] = [];
  readonly #progress: { offset: number };
  #place: Place | undefined;

  constructor(request: BlobRequest, { signal, start }: { signal: AbortSignal; start: number }) {
    this.#request = request;
    this.#signal = signal;
    this.#progress = { offset: start };
    this.#sources = [...request.sources];
  }

  /**
   * Opens the first of the remaining sources that has the blob, at the byte where the last one ended.
   * @throws {RegistryError} when none has it
   */
  async open(): Promise<void> {
    for (let source = this.#sources.shift(); source !== undefined; source = this.#sources.shift()) {
      const session = new Session(source.settings);
      if (source.authorization !== undefined) session.seed(this.#request.repository, source.authorization);
      const asked = { session, url: source.url === undefined ? undefined : new URL(source.url) };
      try {
        // One after the other: a mirror is asked so that the next need not be.
        this.#place = { ...asked, exchange: await this.#ask(asked), retry: source.settings.retry };
        return;
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        this.#errors.push(error);
      }
    }
    throw mostTelling(this.#errors);
  }

  /** All bytes in order; after a break it goes on from another reply, as long as there is some progress. */
  async *chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    const { descriptor } = this.#request;
    while (this.#place !== undefined) {
      const place = this.#place;
      let budget = new RetryBudget(place.retry);
      let paidOffset = this.#progress.offset;
      while (this.#place === place) {
        try {
          yield* remainingChunks(place.exchange, descriptor, this.#progress);
          return;
        } catch (error) {
          if (!(error instanceof RegistryError) || !error.retryable) throw error;
          if (this.#progress.offset - paidOffset >= PROGRESS_BYTES) {
            budget = new RetryBudget(place.retry);
            paidOffset = this.#progress.offset;
          }
          await this.#resume(place, error, budget.take(error.retryAfterMs));
        }
      }
    }
  }

  /** Goes on at the same source, or when its budget is spent at the next. */
  async #resume(place: Place, error: RegistryError, delayMs: number | undefined): Promise<void> {
    if (delayMs !== undefined) {
      await delay(delayMs, this.#signal);
      try {
        place.exchange = await this.#ask(place);
        return;
      } catch (failure) {
        if (!(failure instanceof RegistryError)) throw failure;
        this.#errors.push(failure);
      }
    } else this.#errors.push(error);
    await this.open();
  }

  /** The reply that holds the next byte, from there on or, when the server knows no Range, from the beginning. */
  async #ask(asked: Asked): Promise<Exchange> {
    const { offset } = this.#progress;
    const exchange = await this.#send(asked, offset);
    const part = parsePart(exchange, { offset, size: this.#request.descriptor.size });
    if (part === "usable") return exchange;
    if (part === "useless" && offset > 0) {
      await exchange.discard();
      const whole = await this.#send(asked, 0);
      const state = parsePart(whole, { offset: 0, size: this.#request.descriptor.size });
      if (state === "usable") return whole;
      return this.#refuse(asked.session, whole, state);
    }
    return this.#refuse(asked.session, exchange, part);
  }

  async #refuse(session: Session, exchange: Exchange, part: ReturnType<typeof parsePart>): Promise<never> {
    const { descriptor } = this.#request;
    if (part === "failed") throw await session.errorOf(exchange, `blob "${descriptor.digest}"`);
    await exchange.discard();
    if (typeof part !== "object")
      throw protocolError(descriptor, "the reply is a part that nobody has asked for");
    throw wrongSize(descriptor, part.size);
  }

  #send({ session, url }: Asked, offset: number): Promise<Exchange> {
    const { repository, descriptor } = this.#request;
    return session.request({
      repository,
      kind: "blobs",
      name: descriptor.digest,
      headers: offset === 0 ? {} : { Range: `bytes=${offset}-` },
      what: `blob "${descriptor.digest}"`,
      signal: this.#signal,
      ...(url === undefined ? {} : { target: url, isAnonymous: true }),
    });
  }
}

/** Who is asked. */
interface Asked {
  readonly session: Session;
  readonly url: URL | undefined;
}

/** A source that is being read. */
interface Place extends Asked {
  readonly retry: AccessSettings["retry"];
  exchange: Exchange;
}

async function* remainingChunks(
  exchange: Exchange,
  descriptor: Descriptor,
  progress: { offset: number },
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  let position = startOf(exchange);
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
