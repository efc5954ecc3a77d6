/** What the main thread asks of a lane's Workers, and what they answer: plain data, for postMessage(). */
import type { BlobRequest } from "../../registry/blob.ts";
import type { LayerResult } from "../unpack/applier.ts";
import type { UnpackOptions } from "../unpack/options.ts";
import type { ExpectedLayer } from "./decode.ts";
import type { ErrorData } from "./error_data.ts";

/** Where a layer's blob comes from. */
export type LayerSource =
  | { readonly kind: "registry"; readonly request: BlobRequest }
  /** A blob of the store: checked again while it is read. */
  | { readonly kind: "file"; readonly path: string };

/** One layer to fetch and unpack. */
export interface LayerJob {
  readonly source: LayerSource;
  readonly expected: ExpectedLayer;
  /** Where the blob is kept; undefined when it is in the store already. */
  readonly blobPath: string | undefined;
  /** Directory to unpack into; must not exist. */
  readonly directory: string;
  readonly options: UnpackOptions;
}

/** Message to the decode Worker: a layer to begin with. */
export interface DecodeMessage {
  readonly kind: "decode";
  readonly job: LayerJob;
  readonly ring: SharedArrayBuffer;
}

/** Message to the decode Worker: to give up the layer it is at; the answer to that one still comes. */
export interface StopMessage {
  readonly kind: "stop";
}

/** Message to the untar Worker. */
export interface UntarMessage {
  readonly directory: string;
  readonly options: UnpackOptions;
  readonly ring: SharedArrayBuffer;
}

/** Answer of either; `aborted` when it stopped because the other half did. */
export type Answer<Result> =
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "failed"; readonly error: ErrorData }
  | { readonly kind: "aborted" };

/** Answer of the decode Worker: size, digest and diffID are right when it is done. */
export type DecodeAnswer = Answer<undefined>;
/** Answer of the untar Worker. */
export type UntarAnswer = Answer<LayerResult>;
