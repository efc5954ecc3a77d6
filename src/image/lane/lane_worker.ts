/**
 * Worker of a lane: decodes a layer, or unpacks it, or both. One message, one layer, one answer. It waits for nothing but
 * rings, so that whoever aborts those stops it. What only some messages need is loaded with the first of them.
 */
import { compileEarly, onPiece } from "./compile_policy.ts";
import { toErrorData } from "./error_data.ts";
import type { DecodeMessage, LaneAnswer, LaneMessage, UnpackMessage, WholeMessage } from "./job.ts";
import { abortRing, RingAborted, RingReader, RingWriter } from "./ring.ts";

declare const self: Worker;

compileEarly();

self.onmessage = async ({ data }: MessageEvent<LaneMessage>) => {
  self.postMessage(await answer(data));
};

async function answer(message: LaneMessage): Promise<LaneAnswer> {
  try {
    switch (message.kind) {
      case "decode":
        return await decode(message);
      case "unpack":
        return await unpack(message);
      case "whole":
        return await decodeAndUnpack(message);
    }
  } catch (error) {
    return error instanceof RingAborted ? { kind: "aborted" } : { kind: "failed", error: toErrorData(error) };
  }
}

async function decode({ blob, archive }: DecodeMessage): Promise<LaneAnswer> {
  const { decodeRing } = await import("./decode_ring.ts");
  const writer = new RingWriter(archive);
  try {
    await decodeRing(blob, writer);
    writer.end();
    return { kind: "done", result: undefined };
  } finally {
    // Harmless after the end.
    abortRing(archive);
  }
}

async function unpack({ place, expected, archive }: UnpackMessage): Promise<LaneAnswer> {
  const { CheckedUnpacker } = await import("./checked_unpacker.ts");
  try {
    using unpacker = new CheckedUnpacker(place, expected);
    const reader = new RingReader(archive);
    for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) {
      unpacker.take(bytes);
      reader.release();
      onPiece();
    }
    return { kind: "done", result: unpacker.finish() };
  } finally {
    // Harmless after the end.
    abortRing(archive);
  }
}

async function decodeAndUnpack({ expected, blob, place }: WholeMessage): Promise<LaneAnswer> {
  const [{ decodeRing }, { CheckedUnpacker }] = await Promise.all([
    import("./decode_ring.ts"),
    import("./checked_unpacker.ts"),
  ]);
  try {
    using unpacker = new CheckedUnpacker(place, expected);
    await decodeRing(blob, unpacker);
    return { kind: "done", result: unpacker.finish() };
  } finally {
    // Harmless after the end: when the directory could not be made, the blob has not ended.
    abortRing(blob);
  }
}
