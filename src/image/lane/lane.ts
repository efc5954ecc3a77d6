/**
 * A lane: two Workers joined by a ring, reused from layer to layer. While one decompresses the next piece, the other
 * writes the files of the last: the main thread only schedules.
 */
import type { LayerResult } from "../unpack/applier.ts";
import { RelayedError } from "./error_data.ts";
import type { LayerWatch } from "./inline.ts";
import type { Answer, DecodeMessage, LayerJob, StopMessage, UntarMessage } from "./job.ts";
import { abortRing, createRing, progressOf, resetRing } from "./ring.ts";

const PROGRESS_MS = 100;
/** Where `bun build --compile` puts the entry points of src/ in the executable. */
const EMBEDDED = "/$bunfs/root/image/lane/";

/** Two Workers and their ring; disposing of it ends both, whatever they do. */
export class Lane implements Disposable {
  readonly #ring = createRing();
  readonly #decoder = openWorker("decode_worker");
  readonly #unpacker = openWorker("untar_worker");

  /** Fetches and unpacks one layer; one at a time. @throws {RelayedError} of whichever half failed */
  async unpack(job: LayerJob, { signal, onBytes }: LayerWatch): Promise<LayerResult> {
    signal.throwIfAborted();
    resetRing(this.#ring);
    const abort = (): void => abortRing(this.#ring);
    signal.addEventListener("abort", abort);
    let reported = 0;
    const report = (): void => {
      const count = Math.max(reported, progressOf(this.#ring));
      onBytes(count - reported);
      reported = count;
    };
    const timer = setInterval(report, PROGRESS_MS);
    try {
      return await this.#run(job, signal);
    } finally {
      clearInterval(timer);
      report();
      signal.removeEventListener("abort", abort);
    }
  }

  async #run(job: LayerJob, signal: AbortSignal): Promise<LayerResult> {
    const { directory, options } = job;
    const ring = this.#ring;
    const decoding = ask<DecodeMessage, undefined>(this.#decoder, { kind: "decode", job, ring });
    const unpacking = ask<UntarMessage, LayerResult>(this.#unpacker, { directory, options, ring });
    try {
      const both = Promise.all([decoding, unpacking]);
      const [decoded, unpacked] = await Promise.race([both, rejectOnAbort(signal)]);
      // A layer that unpacks badly and does not have its digest is told as damaged.
      if (decoded.kind === "failed") throw new RelayedError(decoded.error);
      if (unpacked.kind === "failed") throw new RelayedError(unpacked.error);
      if (unpacked.kind === "done" && decoded.kind === "done") return unpacked.result;
      throw new Error("Cannot happen: both halves of a lane gave up because of the other");
    } finally {
      // Whatever failed: both have closed their files, and the directory is the caller's again, once they answer.
      abortRing(ring);
      const stop: StopMessage = { kind: "stop" };
      this.#decoder.postMessage(stop);
      await Promise.allSettled([decoding, unpacking]);
    }
  }

  [Symbol.dispose](): void {
    abortRing(this.#ring);
    this.#decoder.terminate();
    this.#unpacker.terminate();
  }
}

/** A path inside the executable when there is one: a relative one could name a file of the working directory. */
function openWorker(name: string): Worker {
  const isCompiled = Bun.main.startsWith("/$bunfs/");
  const url = isCompiled ? `${EMBEDDED}${name}.js` : new URL(`./${name}.ts`, import.meta.url).href;
  return new Worker(url, { smol: true });
}

function ask<Message, Result>(worker: Worker, message: Message): Promise<Answer<Result>> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer<Result>>) => resolve(data);
    worker.onerror = ({ message: text }) =>
      reject(new Error(`Cannot unpack layer: a Worker failed: ${text}`));
    worker.postMessage(message);
  });
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  const rejected = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  // Most often nobody is there any more when it rejects.
  rejected.catch(() => undefined);
  return rejected;
}
