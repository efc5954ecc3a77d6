import { describe, expect, test } from "bun:test";
import {
  abortRing,
  createRing,
  leaveRing,
  RingAborted,
  RingReader,
  RingWriter,
  resetRing,
} from "../../../../src/image/lane/ring.ts";

function write(writer: RingWriter, text: string): void {
  writer.acquire().set(Buffer.from(text));
  writer.commit(text.length);
}

describe("a ring", () => {
  test("hands on what is written, in order, and then the end", () => {
    const ring = createRing();
    const [writer, reader] = [new RingWriter(ring), new RingReader(ring)];
    const seen: string[] = [];

    for (let round = 0; round < 30; round += 1) {
      write(writer, `piece ${round}`);
      seen.push(Buffer.from(reader.next() ?? []).toString());
      reader.release();
    }
    writer.end();

    expect(seen).toEqual(Array.from({ length: 30 }, (_, round) => `piece ${round}`));
    expect(reader.next()).toBeUndefined();
  });

  test("gives what was written before the end after it", () => {
    const ring = createRing();
    const writer = new RingWriter(ring);
    write(writer, "last");
    writer.end();

    const reader = new RingReader(ring);

    expect(Buffer.from(reader.next() ?? []).toString()).toBe("last");
    reader.release();
    expect(reader.next()).toBeUndefined();
  });

  test("throws on both sides once it is aborted, and runs again after a reset", () => {
    const ring = createRing();
    const [writer, reader] = [new RingWriter(ring), new RingReader(ring)];

    abortRing(ring);

    expect(() => writer.acquire()).toThrow(RingAborted);
    expect(() => reader.next()).toThrow(RingAborted);
    resetRing(ring);
    write(writer, "again");
    expect(Buffer.from(reader.next() ?? []).toString()).toBe("again");
  });

  test("wakes a writer that waits without blocking once it is aborted", async () => {
    const ring = createRing();
    const writer = new RingWriter(ring);
    for (let round = 0; round < 8; round += 1) write(writer, "full");
    const waiting = writer.acquireLater();

    abortRing(ring);

    await expect(waiting).rejects.toThrow(RingAborted);
  });

  test("never lets the writer wait for a reader that has left", () => {
    const ring = createRing();
    const writer = new RingWriter(ring);

    leaveRing(ring);

    for (let round = 0; round < 100; round += 1) write(writer, "unread");
  });

  const ways: ReadonlyArray<readonly [string, (writer: RingWriter) => Uint8Array | Promise<Uint8Array>]> = [
    ["blocks", (writer) => writer.acquire()],
    ["keeps", (writer) => writer.acquireLater()],
  ];
  test.each(ways)("%s a full writer until another thread reads", async (_, acquire) => {
    const ring = createRing();
    const source = `
      import { RingReader } from "${import.meta.dir}/../../../../src/image/lane/ring.ts";
      self.onmessage = ({ data }) => {
        const reader = new RingReader(data);
        let count = 0;
        for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) {
          count += bytes.length;
          reader.release();
        }
        self.postMessage(count);
      };
    `;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const answer = new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
    worker.postMessage(ring);
    const writer = new RingWriter(ring);

    for (let round = 0; round < 1000; round += 1) {
      (await acquire(writer)).set(Buffer.from("0123456789"));
      writer.commit(10);
    }
    writer.end();

    expect(await answer).toBe(10_000);
    worker.terminate();
  });
});
