/**
 * A lane unpacks one layer after the other, while the main thread fetches, checks and keeps their blobs:
 *
 *   whole:  main ─ blob ▷ Worker (decode, hash, unpack)
 *   split:  main ─ blob ▷ Worker (decode, hash) ─ archive ▷ Worker (unpack)
 *
 * ▷ is a ring of shared memory. Whole lanes are for several layers at once, a split one for a layer that would otherwise keep
 * one processor busy alone.
 */
import { assert } from "../../assert.ts";
import type { LayerResult } from "../unpack/applier.ts";
import { RelayedError } from "./error_data.ts";
import { fillRing } from "./fill_ring.ts";
import type { LayerWatch } from "./inline.ts";
import type { LaneAnswer, LaneMessage, LayerJob } from "./job.ts";
import { abortRing, createRing, RingAborted, resetRing } from "./ring.ts";
import { laneWorkerUrl } from "./worker_file.ts";

/** Workers and their rings; disposing of it ends them, whatever they do. */
export class Lane implements Disposable {
  readonly #blob = createRing();
  readonly #first = openWorker();
  readonly #second: { readonly archive: SharedArrayBuffer; readonly worker: Worker } | undefined;

  constructor({ isSplit }: { readonly isSplit: boolean }) {
    if (isSplit) this.#second = { archive: createRing(), worker: openWorker() };
  }

  /** Fetches and unpacks one layer; one at a time. @throws {RelayedError} and as fillRing() */
  async unpack(job: LayerJob, { signal, onBytes }: LayerWatch): Promise<LayerResult> {
    signal.throwIfAborted();
    for (const ring of this.#rings()) resetRing(ring);
    const stop = new AbortController();
    const abort = (): void => {
      stop.abort(signal.reason);
      this.#abort();
    };
    signal.addEventListener("abort", abort);
    const fetching = this.#fetch(job, { signal: stop.signal, onBytes });
    const answers = this.#messages(job).map(([worker, message]) => ask(worker, message));
    try {
      const [fetched, ...answered] = await Promise.all([fetching, ...answers]);
      signal.throwIfAborted();
      return resultOf(fetched, answered);
    } finally {
      // Whatever failed: all have closed their files, and the directory is the caller's again, once they answer.
      abort();
      await Promise.allSettled([fetching, ...answers]);
      signal.removeEventListener("abort", abort);
    }
  }

  [Symbol.dispose](): void {
    this.#abort();
    this.#first.terminate();
    this.#second?.worker.terminate();
  }

  /** @returns what went wrong, undefined when nothing did; the Workers have heard of it */
  async #fetch(job: LayerJob, watch: LayerWatch): Promise<unknown> {
    try {
      await fillRing(job, this.#blob, watch);
      return undefined;
    } catch (error) {
      this.#abort();
      return error;
    }
  }

  #messages({ expected, directory, options }: LayerJob): Array<readonly [Worker, LaneMessage]> {
    const blob = this.#blob;
    const place = { directory, options };
    if (this.#second === undefined) return [[this.#first, { kind: "whole", expected, blob, place }]];
    const { archive, worker } = this.#second;
    return [
      [this.#first, { kind: "decode", expected, blob, archive }],
      [worker, { kind: "unpack", place, archive }],
    ];
  }

  #rings(): SharedArrayBuffer[] {
    return this.#second === undefined ? [this.#blob] : [this.#blob, this.#second.archive];
  }

  #abort(): void {
    for (const ring of this.#rings()) abortRing(ring);
  }
}

/**
 * The layer, or the first error on its way: a layer that unpacks badly and does not have its digest is told as damaged.
 * What stopped because of another is not an error of its own.
 */
function resultOf(fetched: unknown, answers: readonly LaneAnswer[]): LayerResult {
  if (fetched !== undefined && !(fetched instanceof RingAborted)) throw fetched;
  for (const answer of answers) if (answer.kind === "failed") throw new RelayedError(answer.error);
  const last = answers.at(-1);
  if (fetched === undefined && last?.kind === "done" && last.result !== undefined) return last.result;
  throw new Error("Cannot happen: all parts of a lane gave up because of another");
}

function openWorker(): Worker {
  const url = laneWorkerUrl();
  assert(url !== undefined, "code for Workers");
  return new Worker(url, { smol: true });
}

function ask(worker: Worker, message: LaneMessage): Promise<LaneAnswer> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<LaneAnswer>) => resolve(data);
    worker.onerror = ({ message: text }) =>
      reject(new Error(`Cannot unpack layer: a Worker failed: ${text}`));
    worker.postMessage(message);
  });
}
