/** What a registry can do wrong with replies, bodies and lengths, row by row; faults_redirect and faults_auth have the rest. */
import { describe, expect } from "bun:test";
import { app, type FaultRow, testFault } from "../helpers/fault_rows.ts";
import {
  corrupt,
  cut,
  drip,
  type Fault,
  hang,
  headers,
  ignoreRange,
  MANIFESTS,
  mapBody,
  overrun,
  replace,
  shorten,
  stall,
  status,
} from "../helpers/registry_faults.ts";
import { whyMissing } from "../helpers/requires.ts";

const LARGE = new RegExp(`^GET .*${app.layers[0]?.descriptor.digest}`);
const SMALL = new RegExp(`^GET .*${app.layers[1]?.descriptor.digest}`);
const CONFIG = new RegExp(`^GET .*${app.configDigest}`);
const GET_MANIFEST = /^GET .*\/manifests\//;
const PARTS: ReadonlyArray<readonly [string, RegExp]> = [
  ["the large layer", LARGE],
  ["the small layer", SMALL],
  ["the config", CONFIG],
];
const reason = whyMissing(["root"]);
const inSeconds = (ms: number): string => new Date(Date.now() + ms).toUTCString();

describe.skipIf(reason !== undefined)(`a registry that replies (${reason ?? "as root"})`, () => {
  const rows: ReadonlyArray<readonly [code: number, outcome: FaultRow["outcome"]]> = [
    [401, "IMAGE_NOT_FOUND"],
    [403, "REGISTRY_DENIED"],
    [404, "IMAGE_NOT_FOUND"],
    [429, "REGISTRY_RATE_LIMITED"],
    [500, "REGISTRY_FAILED"],
    [503, "REGISTRY_FAILED"],
  ];
  for (const [code, outcome] of rows) {
    testFault(`${code} to a manifest`, { faults: () => [status(code, { on: MANIFESTS })], outcome });
    testFault(`${code} to a layer`, { faults: () => [status(code, { on: LARGE })], outcome });
  }
  for (const code of [429, 500, 503]) {
    testFault(`${code} twice to everything, and then as ever`, {
      faults: () => [status(code, { times: 2 }), status(code, { on: SMALL, times: 2 })],
      outcome: "the image",
    });
  }
  const waits: ReadonlyArray<readonly [string, () => string, FaultRow["outcome"], number]> = [
    ["1 second", () => "1", "the image", 1000],
    ["1 second as a date", () => inSeconds(2000), "the image", 900],
    ["an hour", () => "3600", "REGISTRY_RATE_LIMITED", 0],
    ["an hour as a date", () => inSeconds(3_600_000), "REGISTRY_RATE_LIMITED", 0],
    ["nonsense", () => "soon", "the image", 0],
    ["a time before all times", () => "-1", "the image", 0],
  ];
  for (const [what, header, outcome, leastMs] of waits) {
    const times: number[] = [];
    testFault(`429 with Retry-After: ${what}`, {
      faults: () => [
        noting(
          times,
          replace(
            { on: GET_MANIFEST, times: 1 },
            () => new Response(null, { status: 429, headers: { "Retry-After": header() } }),
          ),
        ),
        noting(
          times,
          replace({ on: GET_MANIFEST }, (right) => right),
        ),
      ],
      outcome,
      also: () => {
        const [first = 0, second = Number.POSITIVE_INFINITY] = times;
        expect(second - first).toBeGreaterThanOrEqual(leastMs);
        if (outcome !== "the image") expect(times).toHaveLength(1);
      },
    });
  }
});

describe.skipIf(reason !== undefined)(`a body (${reason ?? "as root"})`, () => {
  testFault("that drips slowly", {
    faults: () => [drip(1_000_000, 60, { on: LARGE })],
    outcome: "the image",
  });
  for (const [part, on] of PARTS) {
    testFault(`of ${part} that is cut in its middle, once`, {
      faults: () => [cut(100, { on, times: 1 })],
      outcome: "the image",
    });
    testFault(`of ${part} that is cut each time`, {
      faults: () => [cut(100, { on })],
      outcome: "REGISTRY_UNREACHABLE",
    });
    testFault(`of ${part} that stalls for ever`, {
      faults: () => [stall(100, { on })],
      outcome: "REGISTRY_UNREACHABLE",
    });
    testFault(`of ${part} of the wrong length, announced: one byte more`, {
      faults: () => [mapBody({ on }, (bytes) => Buffer.concat([bytes, Buffer.of(0)]))],
      outcome: "CONTENT_MISMATCH",
    });
    testFault(`of ${part} of the wrong length, announced: one byte less`, {
      faults: () => [mapBody({ on }, (bytes) => bytes.subarray(1))],
      outcome: "CONTENT_MISMATCH",
    });
    testFault(`of ${part} that goes on beyond its end, without a length`, {
      faults: () => [overrun(new Uint8Array(100_000), { on })],
      outcome: "CONTENT_MISMATCH",
    });
    testFault(`of ${part} that always ends early, without a length`, {
      faults: () => [shorten(0, { on })],
      outcome: "CONTENT_MISMATCH",
    });
    testFault(`of ${part} with the wrong digest`, {
      faults: () => [corrupt({ on, at: 50 })],
      outcome: "CONTENT_MISMATCH",
    });
    testFault(`of ${part} that is chunked, without a length`, {
      faults: () => [chunked(on)],
      outcome: "the image",
    });
    testFault(`of ${part} with Content-Encoding: gzip in its head alone`, {
      faults: () => [headers({ on }, { "Content-Encoding": "gzip" })],
      outcome: "the image",
    });
    testFault(`of ${part} that really is compressed once more`, {
      faults: () => [gzipped(on)],
      outcome: "CONTENT_MISMATCH",
    });
    testFault(`of ${part} with another content type`, {
      faults: () => [headers({ on }, { "Content-Type": "text/html" })],
      outcome: "the image",
    });
  }
  testFault("that never begins", { faults: () => [hang({ on: LARGE })], outcome: "REGISTRY_UNREACHABLE" });
});

describe.skipIf(reason !== undefined)(`after a break (${reason ?? "as root"})`, () => {
  const rows: ReadonlyArray<readonly [string, () => Fault, FaultRow["outcome"]]> = [
    ["Range ignored: 200 with everything", () => ignoreRange({ on: LARGE }), "the image"],
    [
      "416",
      () => onRange((right) => new Response(null, { status: 416, headers: right.headers })),
      "the image",
    ],
    ["206 without Content-Range", () => partWith(undefined), "the image"],
    ["206 with a wrong Content-Range: nonsense", () => partWith("bytes all of it"), "the image"],
    ["206 with a wrong Content-Range: a later part", () => partWith("bytes 6000000-6500000/*"), "the image"],
    [
      "206 with a wrong Content-Range: another total",
      () => partWith("bytes 100-6500000/7000000"),
      "CONTENT_MISMATCH",
    ],
    ["206 that says it begins earlier than it does", () => partWith("bytes 0-6500000/*"), "CONTENT_MISMATCH"],
    ["206 of a few bytes each time", () => fewBytes(1_500_000), "the image"],
    ["404", () => onRange(() => new Response(null, { status: 404 })), "IMAGE_NOT_FOUND"],
    ["500 once", () => onceOnRange(() => new Response(null, { status: 500 })), "the image"],
  ];
  for (const [what, fault, outcome] of rows)
    testFault(`the rest is answered with ${what}`, {
      faults: () => [cut(2_000_000, { on: LARGE, times: 1 }), fault()],
      outcome,
    });
});

describe.skipIf(reason !== undefined)(`a manifest (${reason ?? "as root"})`, () => {
  const rows: ReadonlyArray<readonly [string, () => Fault, FaultRow["outcome"]]> = [
    [
      "of 5 MiB",
      () => mapBody({ on: GET_MANIFEST }, () => new Uint8Array(5 << 20).fill(32)),
      "REGISTRY_PROTOCOL",
    ],
    ["without an end", endless, "REGISTRY_PROTOCOL"],
    [
      "with the wrong digest",
      () => mapBody({ on: GET_MANIFEST }, (bytes) => Buffer.concat([bytes, Buffer.of(32)])),
      "CONTENT_MISMATCH",
    ],
    ["that is cut in its middle, once", () => cut(50, { on: GET_MANIFEST, times: 1 }), "the image"],
    ["that is cut each time", () => cut(50, { on: GET_MANIFEST }), "REGISTRY_UNREACHABLE"],
    ["that stalls", () => stall(50, { on: GET_MANIFEST }), "REGISTRY_UNREACHABLE"],
    ["that never begins", () => hang({ on: GET_MANIFEST }), "REGISTRY_UNREACHABLE"],
    ["with Content-Encoding: gzip", () => gzipped(GET_MANIFEST), "the image"],
    ["that is chunked, without a length", () => chunked(GET_MANIFEST), "the image"],
    [
      "served as application/json",
      () => headers({ on: GET_MANIFEST }, { "Content-Type": "application/json" }),
      "the image",
    ],
    [
      "served as an index",
      () => headers({ on: GET_MANIFEST }, { "Content-Type": "application/vnd.oci.image.index.v1+json" }),
      "MANIFEST_INVALID",
    ],
    [
      "without a content type",
      () => headers({ on: GET_MANIFEST }, { "Content-Type": undefined }),
      "the image",
    ],
    ["that is a page of HTML", () => status(200, { on: GET_MANIFEST, body: "<html>" }), "MANIFEST_INVALID"],
    ["that is empty", () => status(200, { on: GET_MANIFEST }), "MANIFEST_INVALID"],
  ];
  for (const [what, fault, outcome] of rows) testFault(what, { faults: () => [fault()], outcome });
});

describe.skipIf(reason !== undefined)(
  `a document that never comes to its end (${reason ?? "as root"})`,
  () => {
    const everyByte = (on: RegExp): Fault => drip(3, 100, { on });
    const rows: ReadonlyArray<readonly [string, () => Fault[], FaultRow["outcome"]]> = [
      ["a manifest", () => [everyByte(GET_MANIFEST)], "REGISTRY_UNREACHABLE"],
      ["a config", () => [everyByte(CONFIG)], "REGISTRY_UNREACHABLE"],
      ["a token", () => [everyByte(/ \/token/)], "REGISTRY_UNREACHABLE"],
      ["what is said to a refusal", () => [drippingRefusal()], "REGISTRY_DENIED"],
    ];
    for (const [what, faults, outcome] of rows)
      testFault(`${what}: a few bytes now and then`, {
        registry: { auth: { type: "token" } },
        client: () => ({ timeouts: { connectMs: 2000, responseMs: 2000, stallMs: 2000, wholeMs: 700 } }),
        faults,
        outcome,
      });
  },
);

function drippingRefusal(): Fault {
  const refusal = status(403, { on: GET_MANIFEST, body: "no".repeat(500) });
  const slow = drip(3, 100, { on: GET_MANIFEST });
  return { ...slow, reply: (request) => slow.reply(request, async () => refusal.reply(request, never)) };
}

const never = (): Promise<Response> => Promise.reject(new Error("Cannot happen: it is replaced"));

function noting(times: number[], fault: Fault): Fault {
  return {
    takes: (request) => {
      const takes = fault.takes(request);
      if (takes) times.push(performance.now());
      return takes;
    },
    reply: fault.reply,
  };
}

function chunked(on: RegExp): Fault {
  return replace({ on }, async (right) => {
    const bytes = await right.bytes();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.subarray(0, 40));
        controller.enqueue(bytes.subarray(40));
        controller.close();
      },
    });
    const kept = new Headers(right.headers);
    kept.delete("content-length");
    return new Response(body, { status: right.status, headers: kept });
  });
}

function gzipped(on: RegExp): Fault {
  return replace({ on }, async (right) => {
    const kept = new Headers(right.headers);
    kept.set("Content-Encoding", "gzip");
    kept.delete("content-length");
    return new Response(Bun.gzipSync(new Uint8Array(await right.bytes()), { level: 1 }), { headers: kept });
  });
}

function onRange(reply: (right: Response) => Response | Promise<Response>): Fault {
  return replace({ on: LARGE }, (right, request) => (request.headers.has("range") ? reply(right) : right));
}

function onceOnRange(reply: (right: Response) => Response): Fault {
  let isOver = false;
  return onRange((right) => {
    if (isOver) return right;
    isOver = true;
    return reply(right);
  });
}

/** The right part with another word on which it is. */
function partWith(range: string | undefined): Fault {
  return onRange(async (right) => {
    const kept = new Headers(right.headers);
    kept.delete("content-length");
    if (range === undefined) kept.delete("content-range");
    else kept.set("content-range", range);
    return new Response(new Uint8Array(await right.bytes()), { status: 206, headers: kept });
  });
}

/** Parts that are shorter than what was asked for, and say so. */
function fewBytes(count: number): Fault {
  return onRange(async (right) => {
    const [, start = "0", total = "0"] =
      /bytes ([0-9]+)-[0-9]+\/([0-9]+)/.exec(right.headers.get("content-range") ?? "") ?? [];
    const bytes = (await right.bytes()).slice(0, count);
    const range = `bytes ${start}-${Number(start) + bytes.length - 1}/${total}`;
    return new Response(bytes, { status: 206, headers: { "Content-Range": range } });
  });
}

function endless(): Fault {
  return replace({ on: GET_MANIFEST }, () => {
    const pull = (controller: ReadableStreamDefaultController): void =>
      controller.enqueue(new Uint8Array(65_536).fill(32));
    return new Response(new ReadableStream({ pull }));
  });
}
