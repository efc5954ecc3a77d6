import { describe, expect, test } from "bun:test";
import { BlobFeed } from "../../../../src/image/copy/blob_feed.ts";
import { digestOfBytes } from "../../../../src/oci/digest.ts";

const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
const descriptor = { mediaType: "text/plain", digest: digestOfBytes(bytes), size: bytes.length };

describe("BlobFeed", () => {
  test("reads the source once for pieces that follow one another", async () => {
    const source = new Source(bytes);
    const feed = source.feed();

    const pieces = [await read(feed, 0, 300), await read(feed, 300, 301), await read(feed, 301, 1000)];

    expect(Buffer.concat(pieces).equals(bytes)).toBeTrue();
    expect(source.starts).toEqual([0]);
  });

  test("begins anew where bytes are asked for again, and still knows the digest", async () => {
    const source = new Source(bytes);
    const feed = source.feed();

    await read(feed, 0, 700);
    const again = await read(feed, 500, 1000);

    expect(again.equals(bytes.subarray(500))).toBeTrue();
    expect(source.starts).toEqual([0, 500]);
  });

  test("lets go of the source when a stream is cancelled, and is not failed by that", async () => {
    const source = new Source(bytes);
    const feed = source.feed();
    const reader = feed.open(0, 1000).getReader();
    await reader.read();

    await reader.cancel();
    const whole = await read(feed, 0, 1000);

    expect(source.stopped).toBe(1);
    expect(feed.failed.aborted).toBeFalse();
    expect(whole.equals(bytes)).toBeTrue();
  });

  test("knows the digest of an empty blob, of which no byte is ever asked for", async () => {
    const empty = { ...descriptor, size: 0 };
    const right = new BlobFeed({ ...empty, digest: digestOfBytes(new Uint8Array()) }, nothing);
    const wrong = new BlobFeed(empty, nothing);

    const came = await read(right, 0, 0);
    const reading = read(wrong, 0, 0);

    expect(came.length).toBe(0);
    expect(reading).rejects.toThrow("its content is");
    await reading.catch(() => undefined);
    expect(wrong.failed.aborted).toBeTrue();
  });

  test.each<[string, Buffer, string]>([
    ["other bytes", Buffer.from(bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte))), "its content is"],
    ["fewer bytes", bytes.subarray(0, 999), "it ends after 999 of 1000 bytes"],
    ["more bytes", Buffer.concat([bytes, bytes]), "it has more than 1000 bytes"],
  ])("holds the last bytes back when the source has %s", async (_, content, state) => {
    const feed = new Source(content, 64).feed();
    const seen: Uint8Array[] = [];

    const reading = (async () => {
      for await (const chunk of feed.open(0, 1000)) seen.push(chunk);
    })();

    expect(reading).rejects.toThrow(state);
    await reading.catch(() => undefined);
    expect(feed.failed.reason.message).toContain(state);
    expect(Buffer.concat(seen).length).toBeLessThan(1000);
  });

  test("fails with what the source fails with", async () => {
    const failure = new Error("broken");
    const feed = new BlobFeed(descriptor, () => Promise.reject(failure));

    const error = await read(feed, 0, 1000).catch((thrown: unknown) => thrown);

    expect(error).toBe(failure);
    expect(feed.failed.reason).toBe(failure);
  });
});

/** Gives bytes in chunks, and counts what is asked of it. */
class Source {
  readonly starts: number[] = [];
  stopped = 0;
  readonly #bytes: Buffer;
  readonly #chunkLength: number;

  constructor(content: Buffer, chunkLength = 128) {
    this.#bytes = content;
    this.#chunkLength = chunkLength;
  }

  feed(): BlobFeed {
    return new BlobFeed(descriptor, async (start, signal) => {
      this.starts.push(start);
      signal.addEventListener("abort", () => {
        this.stopped += 1;
      });
      let at = start;
      return new ReadableStream({
        pull: (controller) => {
          const chunk = this.#bytes.subarray(at, at + this.#chunkLength);
          at += chunk.length;
          if (chunk.length === 0) controller.close();
          else controller.enqueue(new Uint8Array(chunk));
        },
      });
    });
  }
}

async function read(feed: BlobFeed, start: number, end: number): Promise<Buffer> {
  return Buffer.from(await new Response(feed.open(start, end)).bytes());
}

const nothing = async (): Promise<ReadableStream<Uint8Array>> => new Blob([]).stream();
