/**
 * When a request is sent again, and after how long. The registry's Retry-After is obeyed; a wait that would pass the
 * budget fails at once, since a person prefers the truth after one second to silence for an hour.
 */

/** How often and how long one request is tried. */
export interface RetryPolicy {
  /** Requests in all. */
  readonly attemptCountMax: number;
  /** Wait before the second attempt, doubled for each further one. */
  readonly firstDelayMs: number;
  /** Longest sum of all waits of one request. */
  readonly totalDelayMsMax: number;
}

/** Waits of 2, 4, 8 and 16 seconds, thirty in all. */
export const DEFAULT_RETRY: RetryPolicy = { attemptCountMax: 5, firstDelayMs: 2000, totalDelayMsMax: 30_000 };

/** Share of a delay that is random, so that many clients do not come back at the same moment. */
const JITTER = 0.2;
/** Longest random addition to a wait that the registry asks for. */
const JITTER_MS_MAX = 1000;
const RETRYABLE_STATUSES: readonly number[] = [408, 429, 500, 502, 503, 504];
/** The three forms of RFC 9110, section 5.6.7: all begin with the name of a day. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [\x20-\x7e]{10,30}$/;

/** Counts the waits of one request. */
export class RetryBudget {
  readonly #policy: RetryPolicy;
  #attempts = 1;
  #waitedMs = 0;

  constructor(policy: RetryPolicy = DEFAULT_RETRY) {
    this.#policy = policy;
  }

  /**
   * Takes one more attempt from the budget.
   * @param retryAfterMs what the server asks for; undefined when it does not say
   * @returns milliseconds to wait before it; undefined when the budget is spent or would be
   */
  take(retryAfterMs?: number): number | undefined {
    const backoffMs = this.#policy.firstDelayMs * 2 ** (this.#attempts - 1);
    // Never earlier than asked for.
    const waitMs = retryAfterMs ?? backoffMs * (1 + JITTER * (Math.random() - 0.5));
    if (this.#attempts >= this.#policy.attemptCountMax) return undefined;
    if (this.#waitedMs + waitMs > this.#policy.totalDelayMsMax) return undefined;
    this.#attempts += 1;
    this.#waitedMs += waitMs;
    if (retryAfterMs === undefined) return waitMs;
    // Never earlier than the server asks for, and not at the very moment that it names to everyone.
    return waitMs + Math.min(waitMs * JITTER, JITTER_MS_MAX) * Math.random();
  }
}

/** True for a reply that may be another one next time: time-outs, limits, broken servers. */
export function isRetryableStatus(status: number): boolean {
  return RETRYABLE_STATUSES.includes(status);
}

/**
 * The wait that a Retry-After header asks for (RFC 9110, section 10.2.3): seconds or an HTTP date.
 * @returns milliseconds, at least 0; undefined when the header is absent or makes no sense
 */
export function parseRetryAfter(header: string | null, now: Date = new Date()): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const timeMs = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : Math.max(0, timeMs - now.getTime());
}

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export async function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
