/**
 * What the head of a reply says about the part of a blob that follows (RFC 9110, sections 14.4 and 15.3.7). Servers ignore
 * Range, reply with another part than the one asked for, or refuse; none of that may shift a byte.
 */
import type { Exchange } from "./exchange.ts";

/** What is wanted: the bytes from `offset` on of a blob of `size` bytes. */
export interface WantedPart {
  readonly offset: number;
  readonly size: number;
}

/**
 * What a reply is good for.
 * - `usable`: it holds the wanted byte, perhaps with others before, which are to be skipped
 * - `useless`: it does not, but asked without Range the server may do better
 * - `failed`: any other status
 * - otherwise the size that the server announces is not the blob's
 */
export function parsePart(
  exchange: Exchange,
  { offset, size }: WantedPart,
): "usable" | "useless" | "failed" | { readonly size: number } {
  if (exchange.status === 416) return offset > 0 ? "useless" : "failed";
  if (exchange.status !== 200 && exchange.status !== 206) return "failed";
  const announced = contentLength(exchange);
  if (exchange.status === 200) {
    return announced === undefined || announced === size ? "usable" : { size: announced };
  }
  const range = parseContentRange(exchange.header("content-range"));
  if (range === undefined || range.start > offset) return "useless";
  if (range.total !== undefined && range.total !== size) return { size: range.total };
  const end = range.start + (announced ?? 0);
  return end > size ? { size: end } : "usable";
}

/** First byte of the body of a reply that is usable. */
export function startOf(exchange: Exchange): number {
  if (exchange.status !== 206) return 0;
  return parseContentRange(exchange.header("content-range"))?.start ?? 0;
}

/** Undefined when it is absent, or that of an encoding that is no matter of the blob. */
function contentLength(exchange: Exchange): number | undefined {
  const text = exchange.header("content-length");
  if (text === null || exchange.header("content-encoding") !== null) return undefined;
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function parseContentRange(
  text: string | null,
): { readonly start: number; readonly total: number | undefined } | undefined {
  const [, start, total] = /^bytes ([0-9]{1,15})-[0-9]{1,15}\/(?:([0-9]{1,15})|\*)$/.exec(text ?? "") ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), total: total === undefined ? undefined : Number(total) };
}
