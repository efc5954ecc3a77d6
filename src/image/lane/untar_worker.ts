/** Worker, second half of a lane: ring → tar reader → files. One message, one layer, one answer. */
import { isLayerFault } from "../unpack/layer_error.ts";
import { LayerUnpacker } from "../unpack/layer_unpacker.ts";
import { toErrorData } from "./error_data.ts";
import type { UntarAnswer, UntarMessage } from "./job.ts";
import { abortRing, leaveRing, RingAborted, RingReader } from "./ring.ts";

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<UntarMessage>) => {
  self.postMessage(untar(data));
};

function untar({ directory, options, ring }: UntarMessage): UntarAnswer {
  try {
    using unpacker = new LayerUnpacker(directory, options);
    const reader = new RingReader(ring);
    for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) {
      unpacker.push(bytes);
      reader.release();
    }
    return { kind: "done", result: unpacker.finish() };
  } catch (error) {
    // The layer may only look hostile: the other half finds out whether it is what the manifest says.
    if (isLayerFault(error)) leaveRing(ring);
    else abortRing(ring);
    return error instanceof RingAborted ? { kind: "aborted" } : { kind: "failed", error: toErrorData(error) };
  }
}
