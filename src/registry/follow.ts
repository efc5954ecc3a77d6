/**
 * Requests with redirects followed by hand and failures tried again. By hand, because each hop needs a decision: may we
 * go there at all, and does the Authorization go along (only within one origin: a CDN must never see a token).
 */
import { mayFollow } from "./address.ts";
import { type Exchange, type HttpRequest, send } from "./exchange.ts";
import { RegistryError, urlForMessages } from "./registry_error.ts";
import { delay, isRetryableStatus, parseRetryAfter, RetryBudget, type RetryPolicy } from "./retry.ts";

/** Most redirects of one request, and the statuses that are one. */
export const REDIRECT_COUNT_MAX = 10;
export const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];
/** Those that leave method and body as they are. */
const EXACT_REDIRECT_STATUSES: readonly number[] = [307, 308];

/** A request, and how often it may be repeated. */
export interface RepeatableRequest extends HttpRequest {
  readonly retry: RetryPolicy;
  /** True for an outcome that the caller wants to see at once. */
  readonly isFinal?: (outcome: Exchange | RegistryError) => boolean;
}

/**
 * Sends a request, follows up to ten redirects, and repeats it while the failure may pass and the budget lasts.
 * @returns the last reply, whatever its status
 * @throws {RegistryError} when no reply came, or a redirect leads where it must not
 */
export async function sendRepeatedly(request: RepeatableRequest): Promise<Exchange> {
  const budget = new RetryBudget(request.retry);
  for (;;) {
    const outcome = await attempt(request);
    const result = "exchange" in outcome ? outcome.exchange : outcome.error;
    const mayPass = outcome.isPassing && request.isFinal?.(result) !== true;
    const delayMs = mayPass ? budget.take(retryWait(result)) : undefined;
    if (delayMs === undefined) {
      if ("exchange" in outcome) return outcome.exchange;
      throw outcome.error;
    }
    if ("exchange" in outcome) await outcome.exchange.discard();
    await delay(delayMs, request.signal);
  }
}

/** How a whole body is read. */
export interface WholeOptions {
  /** Sends the request, as often as it takes to get a head. */
  readonly send: () => Promise<Exchange>;
  readonly bytesMax: number;
  readonly retry: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request and reads the whole body of a reply with success, again when it breaks in its middle.
 * @returns `bytes` undefined for a reply without success, whose body is unread
 * @throws {RegistryError} when the body is larger than `bytesMax`, or breaks each time
 */
export async function readWhole({
  send: sendRequest,
  bytesMax,
  retry,
  signal,
}: WholeOptions): Promise<{ readonly exchange: Exchange; readonly bytes: Uint8Array | undefined }> {
  const budget = new RetryBudget(retry);
  for (;;) {
    const exchange = await sendRequest();
    if (exchange.status !== 200) return { exchange, bytes: undefined };
    try {
      return { exchange, bytes: await exchange.bytes(bytesMax) };
    } catch (error) {
      const mayPass = error instanceof RegistryError && error.retryable;
      const delayMs = mayPass ? budget.take() : undefined;
      if (delayMs === undefined) throw error;
      await delay(delayMs, signal);
    }
  }
}

/**
 * Sends a request and follows its redirects, what has a body only as it is. A POST that is not the begin of an upload holds
 * a secret, and goes to no other origin.
 */
export async function follow(request: HttpRequest): Promise<Exchange> {
  let { url, headers } = request;
  for (let hop = 0; hop <= REDIRECT_COUNT_MAX; hop++) {
    const exchange = await send({ ...request, url, headers });
    if (!isRedirect(request, exchange.status)) return exchange;
    const target = redirectTarget(exchange, request.mayRedirect);
    if (request.method === "POST" && request.kind === "api" && target.origin !== url.origin) return exchange;
    await exchange.discard();
    if (target.origin !== url.origin) headers = withoutAuthorization(headers);
    url = target;
  }
  throw new RegistryError(
    `Cannot read "${urlForMessages(request.url)}": more than ${REDIRECT_COUNT_MAX} redirects`,
    {
      code: "REGISTRY_PROTOCOL",
    },
  );
}

function isRedirect({ method }: HttpRequest, status: number): boolean {
  const reads = method === "GET" || method === "HEAD";
  return (reads ? REDIRECT_STATUSES : EXACT_REDIRECT_STATUSES).includes(status);
}

type Outcome =
  | { readonly exchange: Exchange; readonly isPassing: boolean }
  | { readonly error: RegistryError; readonly isPassing: boolean };

async function attempt(request: RepeatableRequest): Promise<Outcome> {
  try {
    const exchange = await follow(request);
    return { exchange, isPassing: isRetryableStatus(exchange.status) };
  } catch (error) {
    if (error instanceof RegistryError) return { error, isPassing: error.retryable };
    throw error;
  }
}

function retryWait(outcome: Exchange | RegistryError): number | undefined {
  return "header" in outcome ? parseRetryAfter(outcome.header("retry-after")) : outcome.retryAfterMs;
}

function redirectTarget(exchange: Exchange, mayRedirect = mayFollow): URL {
  const target = URL.parse(exchange.header("location") ?? "", exchange.url.href);
  const from = urlForMessages(exchange.url);
  if (exchange.header("location") === null || target === null) {
    throw new RegistryError(`Cannot read "${from}": a redirect without a target`, {
      code: "REGISTRY_PROTOCOL",
    });
  }
  if (!mayFollow(exchange.url, target) || !mayRedirect(exchange.url, target)) {
    throw new RegistryError(
      `Cannot read "${from}": it redirects to "${urlForMessages(target)}", which is not allowed`,
      {
        code: "REGISTRY_PROTOCOL",
      },
    );
  }
  target.username = "";
  target.password = "";
  return target;
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"),
  );
}
