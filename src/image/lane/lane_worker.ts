/**
 * Worker of a lane: decodes a layer, or unpacks it, or both. One message, one layer, one answer. It waits for nothing but
 * rings, so that whoever aborts those stops it. What only some messages need is loaded with the first of them.
 */
import { compileEarly, onPiece } from "./compile_policy.ts";
import { toErrorData } from "./error_data.ts";
import type { DecodeMessage, LaneAnswer, LaneMessage, UnpackMessage, WholeMessage } from "./job.ts";
import { abortRing, leaveRing, RingAborted, RingReader, RingWriter } from "./ring.ts";

declare const self: Worker;

compileEarly();

self.onmessage = async ({ data }: MessageEvent<LaneMessage>) => {
  self.postMessage(await answer(data));
  // The names of an image of a layer are garbage at once: 8 of 95 MB at the peak of five layers, for 3 ms of each.
  if (data.kind !== "decode" && data.place.options.form === "erofs") Bun.gc(true);
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

async function decode({ expected, blob, archive }: DecodeMessage): Promise<LaneAnswer> {
  const [{ decodeRing }, { ArchiveCheck, CheckedSink }] = await Promise.all([
    import("./decode_ring.ts"),
    import("./archive_check.ts"),
  ]);
  const writer = new RingWriter(archive);
  const check = new ArchiveCheck(expected);
  try {
    await decodeRing(blob, new CheckedSink(writer, check));
    // Whoever unpacks it does not come to its end before.
    check.verify();
    writer.end();
    return { kind: "done", result: undefined };
  } finally {
    // Harmless after the end.
    abortRing(archive);
  }
}

async function unpack({ place, archive }: UnpackMessage): Promise<LaneAnswer> {
  const [{ LayerUnpacker }, { isLayerFault }] = await Promise.all([
    import("../unpack/layer_unpacker.ts"),
    import("../unpack/layer_error.ts"),
  ]);
  try {
    using unpacker = new LayerUnpacker(place.directory, place.options);
    const reader = new RingReader(archive);
    for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) {
      unpacker.push(bytes);
      reader.release();
      onPiece();
    }
    return { kind: "done", result: unpacker.finish() };
  } catch (error) {
    // Told once it is certain that the archive is what the config says.
    if (isLayerFault(error)) leaveRing(archive);
    throw error;
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
