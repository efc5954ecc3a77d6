/**
 * Faults for the fake registry: each takes some requests and replaces or damages the reply. Without `times` a fault
 * stays for good.
 */
import type { RecordedRequest } from "./fake_registry.ts";
import { untilTaken } from "./socket_queues.ts";

/** Something that goes wrong. */
export interface Fault {
  /** True when this fault decides about the request; counts it. */
  takes(request: RecordedRequest): boolean;
  reply(request: Request, next: () => Promise<Response>): Response | Promise<Response>;
}

/** Which requests a fault takes. */
export interface FaultMatch {
  /** Against `METHOD path?query`, e.g. `/GET .*blobs/` [all]. */
  readonly on?: RegExp;
  /** How many requests it takes before it is over [all]. */
  readonly times?: number;
  /** How many matching requests pass before it begins [0]. */
  readonly after?: number;
  /** [any] */
  readonly server?: RecordedRequest["server"];
}

export const BLOBS = /^GET .*\/(?:blobs|data)\//;
export const MANIFESTS = /^(?:GET|HEAD) .*\/manifests\//;

/** Replies with a status. */
export function status(
  code: number,
  init: FaultMatch & { headers?: Record<string, string>; body?: string } = {},
): Fault {
  return fault(init, () => new Response(init.body ?? null, { status: code, headers: init.headers ?? {} }));
}

/** Replies whatever `reply` makes of the right reply. */
export function replace(
  match: FaultMatch,
  reply: (right: Response, request: Request) => Response | Promise<Response>,
): Fault {
  return fault(match, async (request, next) => reply(await next(), request));
}

/** Redirects. */
export function redirect(location: string, match: FaultMatch & { status?: number } = {}): Fault {
  return fault(
    match,
    () => new Response(null, { status: match.status ?? 307, headers: { Location: location } }),
  );
}

/** Changes the bytes of the body and announces the new length. */
export function mapBody(match: FaultMatch, change: (bytes: Uint8Array) => Uint8Array): Fault {
  return replace(match, async (right) => {
    const bytes = change(await right.bytes());
    return new Response(new Uint8Array(bytes), { status: right.status, headers: withoutLength(right) });
  });
}

/** Flips one bit. */
export function corrupt(match: FaultMatch & { at?: number } = { on: BLOBS }): Fault {
  return mapBody(match, (bytes) =>
    bytes.map((byte, index) => (index === (match.at ?? 10) ? byte ^ 1 : byte)),
  );
}

/** For a client to hand on what it has taken, and the longest until it takes it. */
const CUT_PAUSE_MS = 100;
const CUT_MS_MAX = 5000;

/** Breaks the connection after `byteCount` bytes of the body. */
export function cut(byteCount: number, match: FaultMatch = { on: BLOBS }): Fault {
  return replace(match, async (right, request) => {
    const bytes = await right.bytes();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(bytes.subarray(0, byteCount));
        // Lets the piece leave, and arrive: bytes that nobody has read when the connection breaks are lost with it.
        await Bun.sleep(0);
        await untilTaken(Number(new URL(request.url).port), CUT_MS_MAX);
        await Bun.sleep(CUT_PAUSE_MS);
        controller.error(new Error("cut"));
      },
    });
    return new Response(body, { status: right.status, headers: withoutLength(right) });
  });
}

/** Ends the body in good order after `byteCount` bytes, without announcing a length. */
export function shorten(byteCount: number, match: FaultMatch = { on: BLOBS }): Fault {
  return replace(match, async (right) => {
    const bytes = await right.bytes();
    return new Response(streamOf([bytes.subarray(0, byteCount)]), {
      status: right.status,
      headers: withoutLength(right),
    });
  });
}

/** Sends the body and then more, without announcing a length. */
export function overrun(extra: Uint8Array, match: FaultMatch = { on: BLOBS }): Fault {
  return replace(match, async (right) => {
    const bytes = await right.bytes();
    return new Response(streamOf([bytes, extra]), { status: right.status, headers: withoutLength(right) });
  });
}

/** Sends the body in pieces with a pause before each. */
export function drip(pieceBytes: number, pauseMs: number, match: FaultMatch = { on: BLOBS }): Fault {
  return replace(match, async (right) => {
    const bytes = await right.bytes();
    let offset = 0;
    const body = new ReadableStream({
      async pull(controller) {
        await Bun.sleep(pauseMs);
        controller.enqueue(bytes.subarray(offset, offset + pieceBytes));
        offset += pieceBytes;
        if (offset >= bytes.length) controller.close();
      },
    });
    return new Response(body, { status: right.status, headers: withoutLength(right) });
  });
}

/** Sends `byteCount` bytes of the body and then nothing, with the connection open. */
export function stall(byteCount: number, match: FaultMatch = { on: BLOBS }): Fault {
  return replace(match, async (right) => {
    const bytes = await right.bytes();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(bytes.subarray(0, byteCount)),
      pull: () => Promise.withResolvers<void>().promise,
    });
    return new Response(body, { status: right.status, headers: withoutLength(right) });
  });
}

/** Sends `byteCount` bytes of the body, and the rest when `release` says so. */
export function hold(byteCount: number, release: Promise<void>, match: FaultMatch = { on: BLOBS }): Fault {
  return replace(match, async (right) => {
    const bytes = await right.bytes();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(bytes.subarray(0, byteCount)),
      async pull(controller) {
        await release;
        controller.enqueue(bytes.subarray(byteCount));
        controller.close();
      },
    });
    return new Response(body, { status: right.status, headers: withoutLength(right) });
  });
}

/** Never replies; the request stays open until the client gives up. */
export function hang(match: FaultMatch = {}): Fault {
  return fault(match, (request) => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    request.signal.addEventListener("abort", () => resolve(new Response(null, { status: 499 })), {
      once: true,
    });
    return promise;
  });
}

/** Ignores Range, as some registries do. */
export function ignoreRange(match: FaultMatch = { on: BLOBS }): Fault {
  return fault(match, async (request, next) => {
    request.headers.delete("range");
    return next();
  });
}

/** Sets headers of the right reply; `undefined` removes one. */
export function headers(match: FaultMatch, changes: Readonly<Record<string, string | undefined>>): Fault {
  return replace(match, async (right) => {
    const changed = withoutLength(right);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) changed.delete(name);
      else changed.set(name, value);
    }
    return new Response(await right.bytes(), { status: right.status, headers: changed });
  });
}

function fault(match: FaultMatch, reply: Fault["reply"]): Fault {
  let passing = match.after ?? 0;
  let left = match.times ?? Number.POSITIVE_INFINITY;
  return {
    takes({ server, method, path }) {
      if (match.server !== undefined && match.server !== server) return false;
      if (match.on !== undefined && !match.on.test(`${method} ${path}`)) return false;
      if (passing > 0) {
        passing -= 1;
        return false;
      }
      left -= 1;
      return left >= 0;
    },
    reply,
  };
}

function streamOf(parts: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

function withoutLength(response: Response): Headers {
  const kept = new Headers(response.headers);
  kept.delete("content-length");
  return kept;
}
