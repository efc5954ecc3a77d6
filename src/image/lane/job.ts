/** What the main thread asks of Workers, and what they answer: plain data, for postMessage(). */
import type { BlobRequest } from "../../registry/blob.ts";
import type { LayerResult } from "../unpack/applier.ts";
import type { UnpackOptions } from "../unpack/options.ts";
import type { ExpectedLayer } from "./blob_intake.ts";
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

/** Where a layer's files go. */
export type UnpackPlace = Pick<LayerJob, "directory" | "options">;

/** Message to a Worker: decode the blob that comes through `blob` into `archive`, for another Worker, and check that. */
export interface DecodeMessage {
  readonly kind: "decode";
  readonly expected: ExpectedLayer;
  readonly blob: SharedArrayBuffer;
  readonly archive: SharedArrayBuffer;
}

/** Message to a Worker: unpack the archive that comes through `archive`. */
export interface UnpackMessage {
  readonly kind: "unpack";
  readonly place: UnpackPlace;
  readonly archive: SharedArrayBuffer;
}

/** Message to a Worker: do both. */
export interface WholeMessage {
  readonly kind: "whole";
  readonly expected: ExpectedLayer;
  readonly blob: SharedArrayBuffer;
  readonly place: UnpackPlace;
}

/** Message to a Worker of a lane. */
export type LaneMessage = DecodeMessage | UnpackMessage | WholeMessage;

/** Answer to any of them; `aborted` when it stopped because another did. */
export type LaneAnswer =
  /** What was to be checked is right; with the result where a layer was unpacked. */
  | { readonly kind: "done"; readonly result: LayerResult | undefined }
  | { readonly kind: "failed"; readonly error: ErrorData }
  | { readonly kind: "aborted" };
