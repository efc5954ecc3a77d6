/**
 * One HTTP request and its reply, with the time limits that fetch lacks: for connecting, for the head of the reply, and
 * between two pieces of its body. Redirects are not followed here. Errors of the network become {@link RegistryError}s.
 */
import { version } from "../../package.json";
import { watchConnection } from "./connect_watch.ts";
import { bodyError, isUnknownAuthority, networkError, proxyRefusal } from "./network_error.ts";
import { proxyFor } from "./proxy.ts";
import { RegistryError, urlForMessages } from "./registry_error.ts";
import { TimeLimit } from "./time_limit.ts";
import { DEFAULT_TRUST, hasSystemAuthorities, type TlsOptions, type Trust, tlsOptions } from "./trust.ts";

/** Time limits in milliseconds. */
export interface Timeouts {
  /** For a connection; noticed at the earliest half of it after the request began. */
  readonly connectMs: number;
  /** From the request to the head of the reply: a mirror may have to fetch first. */
  readonly responseMs: number;
  /** Between two pieces of a body; there is no limit for the whole of a blob. */
  readonly stallMs: number;
  /** For the whole body of a reply that is no blob: who sends a byte now and then would be waited for for years. */
  readonly wholeMs: number;
  /** As `responseMs`, at the end of an upload: a registry hashes what came, and some copy it once more. */
  readonly commitMs: number;
}

/** The limits for a person who waits. */
export const DEFAULT_TIMEOUTS: Timeouts = {
  connectMs: 5000,
  responseMs: 30_000,
  stallMs: 30_000,
  wholeMs: 300_000,
  commitMs: 300_000,
};

/** A body that is read while it is sent; opened anew for each time that it is. */
export interface UploadBody {
  readonly sizeBytes: number;
  open(): ReadableStream<Uint8Array>;
}

/** One request, to one URL. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** `blob`: the body's bytes exactly as sent. `api`: decoded according to Content-Encoding. */
  readonly kind: "api" | "blob";
  readonly body?: string | Uint8Array | UploadBody | undefined;
  readonly timeouts?: Timeouts;
  /** Whether it may follow a redirect, besides the rules that hold for all. */
  readonly mayRedirect?: (from: URL, to: URL) => boolean;
  /** [the authorities that Bun knows] */
  readonly trust?: Trust | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Hosts whose certificates only the system's authorities have signed. */
const systemHosts = new Set<string>();

const USER_AGENT = `bunker/${version}`;
/** Below this a body is read to keep the connection, above it the connection is dropped. */
const DISCARD_BYTES_MAX = 16 * 1024;
/** A new connection takes less time. */
const DISCARD_MS_MAX = 1000;

/** A reply whose head has arrived. Its body must be read to the end or discarded. */
export class Exchange {
  readonly url: URL;
  readonly response: Response;
  readonly #controller: AbortController;
  readonly #request: HttpRequest;

  constructor(request: HttpRequest, response: Response, controller: AbortController) {
    this.url = request.url;
    this.response = response;
    this.#request = request;
    this.#controller = controller;
  }

  get status(): number {
    return this.response.status;
  }

  header(name: string): string | null {
    return this.response.headers.get(name);
  }

  /**
   * The pieces of the body. Leaving the loop early ends the connection.
   * @throws {RegistryError} when the connection breaks or no byte arrives in time; retryable
   */
  async *chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    const body = this.response.body;
    if (body === null) return;
    const { stallMs } = this.#request.timeouts ?? DEFAULT_TIMEOUTS;
    // Only our waiting counts: a consumer may take its time with a piece.
    let isWaiting = true;
    const timer = setTimeout(() => {
      if (isWaiting) this.#controller.abort(stalled(this.url, stallMs));
      else timer.refresh();
    }, stallMs);
    let isComplete = false;
    try {
      for await (const chunk of body) {
        isWaiting = false;
        yield chunk;
        isWaiting = true;
        timer.refresh();
      }
      isComplete = true;
    } catch (error) {
      throw abortReason(this.#request, this.#controller) ?? bodyError(error, this.url);
    } finally {
      clearTimeout(timer);
      if (!isComplete) this.#controller.abort();
    }
  }

  /**
   * The whole body.
   * @param limitMs for all of it [as the request has it]
   * @throws {RegistryError} when it is larger than `bytesMax`, or takes longer
   */
  async bytes(
    bytesMax: number,
    limitMs = (this.#request.timeouts ?? DEFAULT_TIMEOUTS).wholeMs,
  ): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    using _ = new TimeLimit(this.#controller, { what: `"${urlForMessages(this.url)}"`, limitMs });
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > bytesMax) throw tooLarge(this.url, bytesMax);
      parts.push(chunk);
    }
    return new Uint8Array(Buffer.concat(parts, size));
  }

  /** Lets go of the body. */
  async discard(): Promise<void> {
    const length = Number(this.header("content-length") ?? Number.NaN);
    if (!(length <= DISCARD_BYTES_MAX)) return this.#controller.abort();
    try {
      await this.bytes(DISCARD_BYTES_MAX, DISCARD_MS_MAX);
    } catch {
      // The reply's status has been seen: how its body ends changes nothing.
    }
  }
}

/**
 * Sends one request and waits for the head of the reply, whatever its status.
 * @throws {RegistryError} REGISTRY_UNREACHABLE or REGISTRY_TLS
 * @throws the reason of `request.signal` once it is aborted
 */
export async function send(request: HttpRequest): Promise<Exchange> {
  const { url, trust = DEFAULT_TRUST } = request;
  if (systemHosts.has(url.host)) return sendOnce(request, true);
  try {
    return await sendOnce(request, false);
  } catch (error) {
    // Nothing of the request has left: the handshake comes first.
    if (!isUnknownAuthority(error) || !hasSystemAuthorities(trust)) throw error;
    const exchange = await sendOnce(request, true);
    systemHosts.add(url.host);
    return exchange;
  }
}

async function sendOnce(request: HttpRequest, withSystem: boolean): Promise<Exchange> {
  request.signal?.throwIfAborted();
  const { url, trust = DEFAULT_TRUST } = request;
  const { connectMs, responseMs } = request.timeouts ?? DEFAULT_TIMEOUTS;
  const way: Way = { proxy: proxyFor(url), tls: await tlsOptions(url, trust, withSystem) };
  const controller = new AbortController();
  // Only the peer's silence counts: a body that comes from elsewhere may stall, and go on.
  const own = { isReading: false };
  const timer = setTimeout(() => {
    if (own.isReading) timer.refresh();
    else controller.abort(silent(url, responseMs));
  }, responseMs);
  const onRead = (isReading: boolean): void => {
    own.isReading = isReading;
    timer.refresh();
  };
  const onDead = (error: RegistryError): void => controller.abort(error);
  const watch = watchConnection(way.proxy ?? url, { connectMs, onDead });
  try {
    const response = await start(request, way, { controller, onRead });
    if (way.proxy !== undefined && response.status === PROXY_AUTHENTICATION) {
      controller.abort();
      throw proxyRefusal(url, way.proxy, response.status);
    }
    return new Exchange(request, response, controller);
  } catch (error) {
    throw abortReason(request, controller) ?? networkError(error, url, way.proxy);
  } finally {
    clearTimeout(timer);
    watch.stop();
  }
}

const PROXY_AUTHENTICATION = 407;

/** How a request goes to its host. */
interface Way {
  readonly proxy: URL | undefined;
  readonly tls: TlsOptions;
}

async function start(
  request: HttpRequest,
  { proxy, tls }: Way,
  {
    controller,
    onRead,
  }: { readonly controller: AbortController; readonly onRead: (isReading: boolean) => void },
): Promise<Response> {
  const own = controller.signal;
  const body = bodyOf(request, onRead);
  const init = {
    method: request.method,
    headers: {
      "User-Agent": USER_AGENT,
      "Accept-Encoding": "identity",
      ...request.headers,
      ...body?.headers,
    },
    redirect: "manual",
    signal: request.signal === undefined ? own : AbortSignal.any([own, request.signal]),
    tls,
    // BUN_CONFIG_VERBOSE_FETCH would print tokens.
    verbose: false,
    ...(body === undefined ? {} : { body: body.content }),
    // Left out or empty, Bun would look at the environment by its own rules: `false` is the one value that stops it.
    proxy: proxy?.href ?? false,
  } as const;
  if (request.kind === "blob")
    return fetch(request.url, { ...init, decompress: false } as unknown as BunFetchRequestInit);
  const { ofetch } = await import("ofetch");
  const options = { ...init, retry: 0, ignoreResponseError: true, responseType: "stream" } as const;
  return ofetch.raw(
    request.url.href,
    options as unknown as Parameters<typeof ofetch.raw>[1] & { responseType: "stream" },
  );
}

interface SentBody {
  readonly content: string | Uint8Array | ReadableStream<Uint8Array>;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * With a length, since some registries take no body without; each piece that leaves says that the peer is alive.
 * @param onRead called when our own side of the body is waited for, and when that is over
 */
function bodyOf({ body }: HttpRequest, onRead: (isReading: boolean) => void): SentBody | undefined {
  if (body === undefined) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return { content: body, headers: {} };
  const reader = body.open().getReader();
  const content = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        onRead(true);
        const { done, value } = await reader.read().finally(() => onRead(false));
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { content, headers: { "Content-Length": String(body.sizeBytes) } };
}

/** The caller's own abort, or one of our time limits; undefined when neither ended the request. */
function abortReason(request: HttpRequest, controller: AbortController): unknown {
  if (request.signal?.aborted) return request.signal.reason;
  return controller.signal.reason instanceof RegistryError ? controller.signal.reason : undefined;
}

function silent(url: URL, limitMs: number): RegistryError {
  return new RegistryError(`Cannot reach "${url.host}": no reply within ${limitMs / 1000} s`, {
    code: "REGISTRY_UNREACHABLE",
    hint: 'Try again later, or name a mirror under "registries" in the configuration',
  });
}

function stalled(url: URL, limitMs: number): RegistryError {
  return new RegistryError(`Cannot read "${urlForMessages(url)}": no byte came for ${limitMs / 1000} s`, {
    code: "REGISTRY_UNREACHABLE",
    retryable: true,
  });
}

function tooLarge(url: URL, bytesMax: number): RegistryError {
  return new RegistryError(
    `Cannot read "${urlForMessages(url)}": the reply has more than ${bytesMax} bytes`,
    {
      code: "REGISTRY_PROTOCOL",
    },
  );
}
