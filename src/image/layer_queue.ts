/**
 * Unpacks layers side by side: large ones in lanes, which have threads of their own, small ones in the calling thread
 * meanwhile. The largest come first, so that no lane is left with one at the end.
 */
import { availableParallelism } from "node:os";
import { type LayerWatch, unpackInline } from "./lane/inline.ts";
import type { LayerJob } from "./lane/job.ts";
import { laneWorkerUrl } from "./lane/worker_file.ts";
import type { LayerResult } from "./unpack/applier.ts";

/** Compressed bytes up to which a layer is not worth a thread (measured: starting two costs 10 ms). */
const INLINE_SIZE_MAX = 1 << 20;
/** Compressed bytes of a whole image up to which it is not (measured: 95 ms against 110 for 4.5 MB). */
const INLINE_TOTAL_MAX = 6 << 20;
/** More lanes than this gained nothing on two processors, and each costs 5 MB. */
const LANES_MAX = 2;

/** A layer to be unpacked; `open` is called when its turn comes, as tokens expire. */
export interface QueuedLayer {
  readonly sizeBytes: number;
  open(): Promise<LayerJob>;
  /** Another try after a failure, with nothing left of the first; undefined when there is none to be made. */
  again(job: LayerJob, error: unknown): LayerJob | undefined;
  onBytes(count: number): void;
  onDone(result: LayerResult): void;
}

/** How many lanes, and whether two threads share the work of each layer. */
export interface LanePlan {
  readonly count: number;
  readonly isSplit: boolean;
}

/** Who unpacks which layers. */
export interface QueuePlan {
  readonly lanes: LanePlan;
  /** For the lanes, the largest first. */
  readonly large: readonly QueuedLayer[];
  /** For the calling thread. */
  readonly small: readonly QueuedLayer[];
}

/** Decides who unpacks which layers. @param processors that this process may use; 0 when it can have no lanes */
export function planQueue(layers: readonly QueuedLayer[], processors: number): QueuePlan {
  const bySize = [...layers].sort((one, other) => other.sizeBytes - one.sizeBytes);
  const total = sumOf(layers);
  const inlineMax = total <= INLINE_TOTAL_MAX || processors === 0 ? total : INLINE_SIZE_MAX;
  const large = bySize.filter((layer) => layer.sizeBytes > inlineMax);
  const small = bySize.filter((layer) => layer.sizeBytes <= inlineMax);
  return { lanes: planLanes(large, processors), large, small };
}

/**
 * With few processors, layers side by side keep them busy, but one that is larger than the others together would be the
 * last, and alone: it is unpacked first, by two threads.
 */
function planLanes(large: readonly QueuedLayer[], processors: number): LanePlan {
  const count = Math.min(large.length, LANES_MAX, processors);
  if (processors >= 2 * LANES_MAX) return { count, isSplit: true };
  const isUneven = (large[0]?.sizeBytes ?? 0) > sumOf(large) / 2;
  return processors > 1 && isUneven ? { count: 1, isSplit: true } : { count, isSplit: false };
}

const sumOf = (layers: readonly QueuedLayer[]): number =>
  layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Unpacks all, or throws the first error after everything has stopped. */
export async function unpackAll(layers: readonly QueuedLayer[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const watch = { signal: AbortSignal.any([signal, stop.signal]) };
  const { lanes, large, small } = planQueue(
    layers,
    laneWorkerUrl() === undefined ? 0 : availableParallelism(),
  );
  const queue = [...large];
  const runners = Array.from({ length: lanes.count }, () => runLane(queue, lanes, watch));
  runners.push(runInline(small, watch));
  const first = Promise.withResolvers<never>();
  for (const runner of runners) {
    runner.catch((error: unknown) => {
      first.reject(error);
      stop.abort(error);
    });
  }
  const ended = Promise.allSettled(runners);
  try {
    await Promise.race([first.promise, Promise.all(runners)]);
  } finally {
    await ended;
  }
}

/** Takes layers from the queue until it is empty. */
async function runLane(
  queue: QueuedLayer[],
  plan: LanePlan,
  watch: { readonly signal: AbortSignal },
): Promise<void> {
  const { Lane } = await import("./lane/lane.ts");
  using lane = new Lane(plan);
  for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
    // One after the other is what a lane is.
    layer.onDone(await unpackFrom(layer, (job) => lane.unpack(job, watchOf(layer, watch))));
  }
}

async function runInline(
  queue: readonly QueuedLayer[],
  watch: { readonly signal: AbortSignal },
): Promise<void> {
  for (const layer of queue) {
    watch.signal.throwIfAborted();
    // One after the other: they share this thread anyway.
    layer.onDone(await unpackFrom(layer, (job) => unpackInline(job, watchOf(layer, watch))));
  }
}

async function unpackFrom(
  layer: QueuedLayer,
  unpack: (job: LayerJob) => Promise<LayerResult>,
): Promise<LayerResult> {
  for (let job = await layer.open(); ; ) {
    try {
      return await unpack(job);
    } catch (error) {
      const next = layer.again(job, error);
      if (next === undefined) throw error;
      job = next;
    }
  }
}

function watchOf(layer: QueuedLayer, { signal }: { readonly signal: AbortSignal }): LayerWatch {
  return { signal, onBytes: (count) => layer.onBytes(count) };
}
