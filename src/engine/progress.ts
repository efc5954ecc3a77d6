/** What a pull, a push or a copy tells while it goes on. Plain data, so that a display, a log and a socket can all take it. */

import type { CopyResult, PullResult, PushResult } from "./summary.ts";

/** State of one layer of a pull; `exists`: it was here before. Of a push: `exists there`, in the registry. */
export type LayerState =
  | "waiting"
  | "downloading"
  | "extracting"
  | "done"
  | "exists"
  | "preparing"
  | "uploading"
  | "pushed"
  | "copying"
  | "copied"
  | "mounted"
  | "exists there";

/** One step of one layer. */
export interface LayerProgress {
  /** Twelve hexadecimal digits of the layer's digest. */
  readonly layer: string;
  readonly state: LayerState;
  /** Bytes of the compressed layer that have been dealt with. */
  readonly current: number;
  /** Bytes of the compressed layer; 0 when unknown. */
  readonly total: number;
  /** The repository that a layer was mounted from. */
  readonly from?: string | undefined;
}

/** Hears about one pull, from its begin to its end. */
export interface PullObserver {
  /** The pull begins; `reference` is complete (`docker.io/library/alpine:latest`). */
  begin(reference: string): void;
  /** A layer went on; layers come in the order of the image at first. */
  layer(progress: LayerProgress): void;
  /** Something that the user should know about; one line of text. */
  note?(text: string): void;
  /** The pull is over; `result` is undefined when it failed. */
  end(result: PullResult | undefined): void;
}

/** Hears about the pulls of all tags of a repository, one after the other. */
export interface TagsObserver extends PullObserver {
  /** A tag names nothing that can be pulled; `reason` is one line of text. */
  skip(tag: string, reason: string): void;
  /** All is over; `results` are what succeeded. */
  endAll(repository: string, results: readonly PullResult[]): void;
}

/** Hears about one push, from its begin to its end. */
export interface PushObserver {
  /** The push begins; `repository` is complete (`docker.io/library/alpine`). */
  begin(repository: string): void;
  /** A layer went on; layers come in the order of the image at first. */
  layer(progress: LayerProgress): void;
  /** Something that the user should know about; one line of text. */
  note?(text: string): void;
  /** The push is over; `results` are what succeeded. */
  end(results: readonly PushResult[]): void;
}

/** Hears about one copy, from its begin to its end. */
export interface CopyObserver {
  /** The copy begins; both names are complete. */
  begin(source: string, target: string): void;
  /** A layer went on. */
  layer(progress: LayerProgress): void;
  /** Something that the user should know about; one line of text. */
  note?(text: string): void;
  /** The copy is over; `result` is undefined when it failed. */
  end(result: CopyResult | undefined): void;
}
