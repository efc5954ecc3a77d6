/**
 * What registries say besides their content: how many pulls are left (Docker Hub), and warnings for the user (RFC 7234,
 * section 5.5, code 299: "miscellaneous persistent warning"), each of which is handed on once.
 */
import type { Exchange } from "./exchange.ts";
import { quoteForeign } from "./registry_error.ts";

/** How many pulls are left. */
export interface Quota {
  /** Pulls in a window. */
  readonly limit: number;
  readonly remaining: number;
  /** Length of the window; undefined when it is not said. */
  readonly windowSeconds: number | undefined;
}

/** Most warnings that are handed on: who floods is heard no more. */
const WARNING_COUNT_MAX = 10;

/** Collects them over all conversations of a client. */
export class Notices {
  readonly #onWarning: ((text: string) => void) | undefined;
  readonly #warned = new Set<string>();
  readonly #quotas = new Map<string, Quota>();

  /** @param onWarning hears one line for each new warning */
  constructor(onWarning?: (text: string) => void) {
    this.#onWarning = onWarning;
  }

  /** Reads what the head of a reply of the endpoint called `name` says. */
  read(exchange: Pick<Exchange, "header">, name: string): void {
    const quota = quotaOf(exchange);
    if (quota !== undefined) this.#quotas.set(name, quota);
    for (const warning of parseWarnings(exchange.header("warning"))) {
      const text = `"${name}" says ${quoteForeign(warning)}`;
      if (this.#warned.has(text) || this.#warned.size >= WARNING_COUNT_MAX) continue;
      this.#warned.add(text);
      this.#onWarning?.(text);
    }
  }

  /** The last that the endpoint called `name` has said. */
  quota(name: string): Quota | undefined {
    return this.#quotas.get(name);
  }
}

/** From `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`; undefined without both. */
export function quotaOf(exchange: Pick<Exchange, "header">): Quota | undefined {
  const limit = parseCount(exchange.header("ratelimit-limit"));
  const remaining = parseCount(exchange.header("ratelimit-remaining"));
  if (limit === undefined || remaining === undefined) return undefined;
  return { limit: limit.count, remaining: remaining.count, windowSeconds: limit.windowSeconds };
}

/** A quota in words: `76 of 100 pulls are left for 6 hours`. */
export function describeQuota({ limit, remaining, windowSeconds }: Quota): string {
  const hours = windowSeconds === undefined ? undefined : Math.round((windowSeconds / 3600) * 10) / 10;
  const time = hours === undefined ? "" : ` within ${hours} ${hours === 1 ? "hour" : "hours"}`;
  return `${remaining} of ${limit} pulls are left${time}`;
}

function parseCount(header: string | null): { count: number; windowSeconds: number | undefined } | undefined {
  const [, count, seconds] = /^ *([0-9]{1,9})(?![0-9]) *(?:; *w=([0-9]{1,9}))?/.exec(header ?? "") ?? [];
  if (count === undefined) return undefined;
  return { count: Number(count), windowSeconds: seconds === undefined ? undefined : Number(seconds) };
}

/** The texts of the warnings with code 299; the header may hold several. */
export function parseWarnings(header: string | null): readonly string[] {
  const found = (header ?? "").matchAll(/(?:^|,)[ \t]*299[ \t]+\S+[ \t]+"((?:[^"\\]|\\.){0,1000})"/g);
  return [...found].map(([, text = ""]) => text.replace(/\\(.)/g, "$1"));
}
