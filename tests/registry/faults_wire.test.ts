/** What can go wrong below the replies: lengths that lie, heads without an end, connections that close. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { sha256Digest } from "../helpers/image_builder.ts";
import { type RawRequest, startRawServer } from "../helpers/raw_server.ts";
import { impatientClient, noisyImage } from "../helpers/registry_fixture.ts";

const image = noisyImage(200_000);
const [layer] = image.layers;
const blob = Buffer.from(layer?.blob ?? []);
const BOUND_MS = 60_000;

type Wire = (socket: Socket, request: RawRequest) => void;

const rows: ReadonlyArray<readonly [what: string, wire: Wire, outcome: string]> = [
  ["closes before a word is said, once", once((socket) => socket.destroy()), "the blob"],
  ["closes before a word is said, each time", (socket) => socket.destroy(), "REGISTRY_UNREACHABLE"],
  [
    "closes in the head, each time",
    (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"),
    "REGISTRY_UNREACHABLE",
  ],
  [
    "closes in the middle of a body whose length is right, once",
    once((socket) => half(socket, blob.length)),
    "the blob",
  ],
  [
    "closes in the middle of a body whose length is right, each time",
    (socket) => half(socket, blob.length, 100),
    "REGISTRY_UNREACHABLE",
  ],
  [
    "announces more than it has",
    (socket) => half(socket, blob.length + 1000, blob.length),
    "CONTENT_MISMATCH",
  ],
  [
    "announces less than it has",
    (socket) => send(socket, [`Content-Length: ${blob.length - 1000}`]),
    "CONTENT_MISMATCH",
  ],
  [
    "announces a length that is no number",
    (socket) => send(socket, ["Content-Length: many"]),
    "REGISTRY_UNREACHABLE",
  ],
  [
    "announces two lengths",
    (socket) => send(socket, [`Content-Length: ${blob.length}`, "Content-Length: 7"]),
    "any error",
  ],
  [
    "ends a body without a length by closing",
    (socket) => socket.end(Buffer.concat([head([]), blob])),
    "the blob",
  ],
  [
    "sends chunks that are none",
    (socket) => send(socket, ["Transfer-Encoding: chunked"], Buffer.from("zz\r\nnope\r\n0\r\n\r\n")),
    "any error",
  ],
  [
    "says hello in another protocol",
    (socket) => socket.end("220 mail.example ESMTP\r\n"),
    "REGISTRY_UNREACHABLE",
  ],
  ["sends a head without an end", endlessHead, "any error"],
  ["drips its head for ever", (socket) => drip(socket), "REGISTRY_UNREACHABLE"],
  [
    "says 100 Continue first",
    (socket) =>
      socket.write(
        Buffer.concat([
          Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"),
          head([`Content-Length: ${blob.length}`]),
          blob,
        ]),
      ),
    "the blob",
  ],
  ["says 204", (socket) => socket.write("HTTP/1.1 204 No Content\r\n\r\n"), "REGISTRY_FAILED"],
  ["says 304", (socket) => socket.write("HTTP/1.1 304 Not Modified\r\n\r\n"), "REGISTRY_FAILED"],
  [
    "says 999",
    (socket) => send(socket, ["Content-Length: 0"], Buffer.alloc(0), "HTTP/1.1 999 What"),
    "any error",
  ],
];

describe("a server that", () => {
  for (const [what, wire, outcome] of rows)
    test(
      `${what}: ${outcome}`,
      async () => {
        await using server = await startRawServer((socket, request) =>
          request.path.includes("/blobs/") ? wire(socket, request) : socket.destroy(),
        );

        const found = await outcomeOf(server.host);

        if (outcome === "any error") expect(found).toMatch(/^(?:REGISTRY_|CONTENT_)/);
        else expect(found).toBe(outcome);
      },
      BOUND_MS,
    );
});

async function outcomeOf(host: string): Promise<string> {
  const descriptor = { ...layer?.descriptor } as unknown as Descriptor;
  const registries = { [host]: { mirrors: [], tls: false } };
  const client = impatientClient({ registries, timeouts: { responseMs: 300, stallMs: 300 } });
  try {
    const stream = await client.openBlob(parseReference(`${host}/app`), descriptor);
    const bytes = await new Response(stream).bytes();
    return sha256Digest(bytes) === layer?.descriptor.digest ? "the blob" : "other bytes";
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
}

/** Right after the first time; what is asked for from the middle on is given from there. */
function once(wire: Wire): Wire {
  return (socket, request) => {
    if (request.before === 0) return wire(socket, request);
    const start = Number(/^range: bytes=([0-9]+)-/im.exec(request.head)?.[1] ?? 0);
    const rest = blob.subarray(start);
    const length = `Content-Length: ${rest.length}`;
    if (start === 0) return send(socket, [length]);
    const range = `Content-Range: bytes ${start}-${blob.length - 1}/${blob.length}`;
    return send(socket, [length, range], rest, "HTTP/1.1 206 Partial Content");
  };
}

function head(lines: readonly string[], status = "HTTP/1.1 200 OK"): Buffer {
  return Buffer.from(`${[status, ...lines].join("\r\n")}\r\n\r\n`);
}

function send(socket: Socket, lines: readonly string[], body: Buffer = blob, status?: string): void {
  socket.write(Buffer.concat([head(lines, status), body]));
}

function half(socket: Socket, announced: number, sent = blob.length >> 1): void {
  socket.end(Buffer.concat([head([`Content-Length: ${announced}`]), blob.subarray(0, sent)]));
}

function endlessHead(socket: Socket): void {
  socket.write("HTTP/1.1 200 OK\r\n");
  const line = `X-More: ${"x".repeat(8000)}\r\n`;
  const more = (): void => {
    while (!socket.destroyed && socket.write(line));
  };
  socket.on("drain", more);
  more();
}

function drip(socket: Socket): void {
  socket.write("HTTP/1.1 200 OK\r\n");
  const timer = setInterval(() => socket.write("X: y\r\n"), 50);
  socket.on("close", () => clearInterval(timer));
}
