/**
 * Blobs from servers that break off, ignore Range, answer with other parts, stall or refuse, in any order, at several
 * sources: what arrives is the blob to the byte, or an error with a code, within a bounded number of requests.
 */
import { describe, expect, test } from "bun:test";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { digestOfBytes } from "../../src/oci/digest.ts";
import { openBlob } from "../../src/registry/blob.ts";
import { DEFAULT_TIMEOUTS } from "../../src/registry/exchange.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { FUZZ_MS_MAX, FUZZ_SEED, roundsOf } from "../helpers/fuzz.ts";
import { pick, type Random, seededRandom } from "../helpers/random_policy.ts";
import { noise } from "../helpers/registry_fixture.ts";

const COUNT = 300;
const SOURCES_MAX = 3;
/** Of one source; and the same again for a reply to a Range that leads to a request without. */
const ATTEMPTS = 4;
const bytes = noise(60_000);
const blob: Descriptor = {
  mediaType: "application/octet-stream",
  digest: digestOfBytes(bytes),
  size: bytes.length,
};

/** One reply: what it does with the bytes from `start` on. */
type Behaviour = (start: number, random: Random) => Response;

const behaviours: Readonly<Record<string, Behaviour>> = {
  right: (start) => part(start, bytes.subarray(start)),
  "ignores Range": () => new Response(bytes),
  "cuts off": (start, random) => broken(start, bytes.subarray(start, start + random(bytes.length - start))),
  "cuts off at once": (start) => broken(start, new Uint8Array()),
  "ends early": (start, random) => whole(start, bytes.subarray(start, start + random(bytes.length - start))),
  "an earlier part": (start, random) => {
    const first = random(start + 1);
    return part(first, bytes.subarray(first));
  },
  "a later part": (start, random) => {
    const first = Math.min(start + 1 + random(bytes.length), bytes.length - 1);
    return part(first, bytes.subarray(first));
  },
  "a short part": (start, random) => part(start, bytes.subarray(start, start + 1 + random(5000))),
  "another total": (start) => part(start, bytes.subarray(start), bytes.length + 1),
  "a part without its place": (start) => new Response(bytes.subarray(start), { status: 206 }),
  "416": () => new Response(null, { status: 416 }),
  "404": () => new Response(null, { status: 404 }),
  "500": () => new Response(null, { status: 500 }),
  "429": () => new Response(null, { status: 429, headers: { "Retry-After": "0" } }),
  "too much": (start) => whole(start, Buffer.concat([bytes.subarray(start), Buffer.alloc(10)])),
  "too little, announced": (start) => new Response(bytes.subarray(start, bytes.length - 1)),
};
const names = Object.keys(behaviours);

describe(`openBlob() with servers of seed ${FUZZ_SEED}`, () => {
  test(
    "yields the blob, or an error with a code, and asks no more often than the retries allow",
    async () => {
      const random = seededRandom(FUZZ_SEED);
      const counts = { whole: 0, refused: 0 };

      for (let round = 0; round < roundsOf(COUNT); round++) {
        const sources = 1 + random(SOURCES_MAX);
        const script = Array.from({ length: 1 + random(8) }, () => pick(random, names));
        const { outcome, requests } = await transfer(script, { sources, random });

        const said = `round ${round}: ${sources} sources, ${script.join(", ")}`;
        expect(outcome, said).toMatch(/^(?:whole|REGISTRY_|CONTENT_|IMAGE_NOT_FOUND)/);
        expect(requests, said).toBeLessThanOrEqual(sources * ATTEMPTS * (ATTEMPTS + 1) * 2);
        counts[outcome === "whole" ? "whole" : "refused"] += 1;
      }

      // The script of a server must not be such that one of the two never happens.
      expect(Math.min(counts.whole, counts.refused)).toBeGreaterThan(COUNT / 20);
    },
    FUZZ_MS_MAX,
  );
});

/** @param script how the first requests are answered; then as it is right */
async function transfer(
  script: readonly string[],
  { sources, random }: { readonly sources: number; readonly random: Random },
): Promise<{ readonly outcome: string; readonly requests: number }> {
  let requests = 0;
  await using server = closing(
    Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      error: () => new Response(null, { status: 500 }),
      fetch: (request) => {
        const behaviour = behaviours[script[requests] ?? "right"] ?? behaviours["right"];
        requests += 1;
        const start = Number(/^bytes=([0-9]+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
        return behaviour?.(start, random) ?? new Response();
      },
    }),
  );
  const endpoint = { name: "test", baseUrl: server.url };
  const retry = { attemptCountMax: ATTEMPTS, firstDelayMs: 0, totalDelayMsMax: 100 };
  const source = { settings: { endpoint, retry, timeouts: DEFAULT_TIMEOUTS } };
  const request = { repository: "app", descriptor: blob, sources: Array(sources).fill(source) };
  try {
    const found = await new Response(await openBlob(request)).bytes();
    return { outcome: digestOfBytes(found) === blob.digest ? "whole" : "other bytes", requests };
  } catch (error) {
    if (error instanceof RegistryError) return { outcome: error.code, requests };
    throw error;
  }
}

function closing(server: Bun.Server<undefined>): AsyncDisposable & { readonly url: string } {
  return { url: server.url.origin, [Symbol.asyncDispose]: () => server.stop(true) };
}

function part(start: number, content: Uint8Array<ArrayBuffer>, total = bytes.length): Response {
  if (start === 0 && content.length === bytes.length && total === bytes.length) return new Response(content);
  const headers = { "Content-Range": `bytes ${start}-${start + content.length - 1}/${total}` };
  return new Response(content, { status: 206, headers });
}

/** With a place, and without a length. */
function whole(start: number, content: Uint8Array): Response {
  return new Response(streamOf(content, false), headOf(start));
}

function broken(start: number, content: Uint8Array): Response {
  return new Response(streamOf(content, true), headOf(start));
}

function headOf(start: number): ResponseInit {
  if (start === 0) return {};
  return { status: 206, headers: { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } };
}

function streamOf(content: Uint8Array, isBroken: boolean): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      if (content.length > 0) controller.enqueue(content);
      // Lets the piece leave before the connection is torn down.
      await Bun.sleep(1);
      if (isBroken) controller.error(new Error("cut"));
      else controller.close();
    },
  });
}
