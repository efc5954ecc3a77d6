/** What a pull tells while it goes on. Plain data, so that a display, a log and a socket can all take it. */

import type { PullResult } from "./summary.ts";

/** State of one layer. `exists`: it was here before. */
export type LayerState = "waiting" | "downloading" | "extracting" | "done" | "exists";

/** One step of one layer. */
export interface LayerProgress {
  /** Twelve hexadecimal digits of the layer's digest. */
  readonly layer: string;
  readonly state: LayerState;
  /** Bytes of the compressed layer that have been dealt with. */
  readonly current: number;
  /** Bytes of the compressed layer; 0 when unknown. */
  readonly total: number;
}

/** Hears about one pull, from its begin to its end. */
export interface PullObserver {
  /** The pull begins; `reference` is complete (`docker.io/library/alpine:latest`). */
  begin(reference: string): void;
  /** A layer went on; layers come in the order of the image at first. */
  layer(progress: LayerProgress): void;
  /** The pull is over; `result` is undefined when it failed. */
  end(result: PullResult | undefined): void;
}
