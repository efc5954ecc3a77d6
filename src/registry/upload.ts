/**
 * Brings one blob to a registry (distribution-spec, spec.md#pushing-blobs): in one request, and when that fails in the middle,
 * in pieces, so that a further break costs one piece. The registry's word on how far it came decides where to go on.
 *
 *     POST uploads/ ─ 202, Location ─▶ PUT Location?digest=          ─▶ 201
 *                                  └─▶ PATCH, PATCH, …, PUT ?digest= ─▶ 201
 */
import type { Descriptor } from "../oci/descriptor.ts";
import { mayFollow } from "./address.ts";
import type { Exchange, UploadBody } from "./exchange.ts";
import { RegistryError, urlForMessages } from "./registry_error.ts";
import { delay, RetryBudget, type RetryPolicy } from "./retry.ts";
import type { ContentRequest, Session } from "./session.ts";

/** A blob, and where its bytes are. */
export interface BlobContent {
  readonly descriptor: Descriptor;
  /** Opens the bytes from `start` up to `end`. */
  open(start: number, end: number): ReadableStream<Uint8Array>;
}

/** Where a blob goes to. */
export interface UploadTarget {
  readonly session: Session;
  readonly repository: string;
  readonly scope: string;
  readonly retry: RetryPolicy;
  /** Bytes of a piece; more where the registry wants it. */
  readonly pieceBytes: number;
  /** In pieces from the beginning. */
  readonly inPieces: boolean;
  /** For messages. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that have left so far; less than before after a break. */
  readonly onBytes: (done: number) => void;
}

/** Largest piece that a registry may ask for. */
const PIECE_BYTES_MAX = 512 * 1024 * 1024;

/** Statuses after which pieces may do where the whole did not: too large, another offset, an upload that is gone. */
const PIECE_STATUSES: readonly number[] = [404, 413, 416];
/** What a registry says of an upload that it has forgotten: another may come to its end. */
const GONE = 404;

/**
 * Uploads a blob.
 * @param begun the reply to an upload that is open already
 * @throws {RegistryError} when the retries are spent, or nothing helps
 */
export async function uploadBlob(
  target: UploadTarget,
  content: BlobContent,
  begun?: Exchange,
): Promise<void> {
  const budget = new RetryBudget(target.retry);
  let opened = begun;
  let inPieces = target.inPieces;
  for (;;) {
    let hasBegun = false;
    try {
      const reply = opened ?? (await beginUpload(target));
      hasBegun = true;
      const location = uploadLocation(target, reply);
      if (!inPieces) return await putWhole(target, content, location);
      return await putPieces({ target, content, budget, pieceBytes: pieceBytes(target, reply) }, location);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const { retryable, status = 0 } = error;
      const isGone = hasBegun && status === GONE;
      const mayHelp = retryable || isGone || (!inPieces && PIECE_STATUSES.includes(status));
      const delayMs = mayHelp ? budget.take(error.retryAfterMs) : undefined;
      if (delayMs === undefined) throw error;
      await delay(delayMs, target.signal);
      opened = undefined;
      inPieces = true;
    }
  }
}

/** Opens an upload. @param query e.g. to mount @returns the reply: 202, or 201 when nothing is left to do */
export async function beginUpload(target: UploadTarget, query = ""): Promise<Exchange> {
  const url = new URL(`${target.session.endpoint.baseUrl}/v2/${target.repository}/blobs/uploads/${query}`);
  // A length of 0 is what some servers want to see.
  const exchange = await request(target, { method: "POST", target: url, body: new Uint8Array() });
  const isMounted = exchange.status === 201 && query !== "";
  if (exchange.status !== 202 && !isMounted)
    throw await target.session.errorOf(exchange, target.what, "push");
  await exchange.discard();
  return exchange;
}

async function putWhole(target: UploadTarget, content: BlobContent, location: URL): Promise<void> {
  const { size } = content.descriptor;
  const body = bodyOf(target, content, { start: 0, end: size });
  await finish(target, content, { location, body });
}

interface Pieces {
  readonly target: UploadTarget;
  readonly content: BlobContent;
  readonly budget: RetryBudget;
  readonly pieceBytes: number;
}

async function putPieces({ target, content, budget, pieceBytes: step }: Pieces, first: URL): Promise<void> {
  const { size } = content.descriptor;
  let place: Place = { location: first, offset: 0 };
  while (place.offset < size) {
    const end = Math.min(place.offset + step, size);
    try {
      place = await putPiece(target, content, { ...place, end });
    } catch (error) {
      if (!(error instanceof RegistryError) || !(error.retryable || error.status === 416)) throw error;
      const delayMs = budget.take(error.retryAfterMs);
      if (delayMs === undefined) throw error;
      await delay(delayMs, target.signal);
      place = await askPlace(target, place.location);
    }
  }
  await finish(target, content, { location: place.location, body: new Uint8Array() });
}

/** How far an upload has come, and where it goes on. */
interface Place {
  readonly location: URL;
  readonly offset: number;
}

async function putPiece(
  target: UploadTarget,
  content: BlobContent,
  { location, offset, end }: Place & { readonly end: number },
): Promise<Place> {
  const exchange = await request(target, {
    method: "PATCH",
    target: location,
    headers: { "Content-Type": "application/octet-stream", "Content-Range": `${offset}-${end - 1}` },
    body: bodyOf(target, content, { start: offset, end }),
    once: true,
  });
  if (exchange.status !== 202) throw await target.session.errorOf(exchange, target.what, "push");
  await exchange.discard();
  // "0-0" says the same of one byte and of none: that of one the last request will tell.
  const came = end === 1 ? end : (offsetOf(exchange) ?? end);
  if (came <= offset || came > end) throw protocolError(target, `it took up to byte ${came} of ${end}`);
  return { location: uploadLocation(target, exchange), offset: came };
}

async function askPlace(target: UploadTarget, location: URL): Promise<Place> {
  const exchange = await request(target, { method: "GET", target: location });
  if (exchange.status !== 204) throw await target.session.errorOf(exchange, target.what, "push");
  await exchange.discard();
  const offset = offsetOf(exchange) ?? 0;
  target.onBytes(offset);
  const isMoved = exchange.header("location") !== null;
  return { location: isMoved ? uploadLocation(target, exchange) : location, offset };
}

async function finish(
  target: UploadTarget,
  { descriptor }: BlobContent,
  { location, body }: { readonly location: URL; readonly body: UploadBody | Uint8Array },
): Promise<void> {
  const url = new URL(location);
  // The query is the registry's own and stays as it is.
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${descriptor.digest}`;
  const exchange = await request(target, {
    method: "PUT",
    target: url,
    headers: { "Content-Type": "application/octet-stream" },
    body,
    once: true,
    commits: true,
  });
  if (exchange.status !== 201) throw await target.session.errorOf(exchange, target.what, "push");
  await exchange.discard();
  const digest = exchange.header("docker-content-digest");
  if (digest === null || digest === descriptor.digest) return;
  throw new RegistryError(`Cannot push ${target.what}: the registry made another digest of it`, {
    code: "CONTENT_MISMATCH",
  });
}

function request(
  { session, repository, scope, what, signal }: UploadTarget,
  rest: Pick<ContentRequest, "method" | "target" | "headers" | "body" | "once" | "commits">,
): Promise<Exchange> {
  return session.request({ repository, kind: "blobs", name: "", scope, what, signal, ...rest });
}

function bodyOf(
  { onBytes }: UploadTarget,
  content: BlobContent,
  { start, end }: { readonly start: number; readonly end: number },
): UploadBody {
  return {
    sizeBytes: end - start,
    open: () => {
      let done = start;
      const count = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          done += chunk.length;
          onBytes(done);
          controller.enqueue(chunk);
        },
      });
      return content.open(start, end).pipeThrough(count);
    },
  };
}

/** Where the registry wants the next request: perhaps with another host, never where we must not go. */
function uploadLocation(target: UploadTarget, exchange: Exchange): URL {
  const text = exchange.header("location");
  const location = URL.parse(text ?? "", exchange.url.href);
  if (text === null || location === null) throw protocolError(target, "it names no place for the upload");
  if (!mayFollow(exchange.url, location))
    throw protocolError(target, `it wants the upload at "${urlForMessages(location)}", which is not allowed`);
  location.username = "";
  location.password = "";
  return location;
}

/** From `Range: 0-N`; undefined without. Registries say `0-0` of an upload that has nothing yet. */
function offsetOf(exchange: Exchange): number | undefined {
  const last = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(exchange.header("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

function pieceBytes({ pieceBytes: own }: UploadTarget, opened: Exchange): number {
  const least = Number(opened.header("oci-chunk-min-length") ?? 0);
  return Number.isSafeInteger(least) ? Math.min(Math.max(own, least), PIECE_BYTES_MAX) : own;
}

function protocolError({ session, what }: UploadTarget, state: string): RegistryError {
  return new RegistryError(`Cannot push ${what} to "${session.endpoint.name}": ${state}`, {
    code: "REGISTRY_PROTOCOL",
  });
}
