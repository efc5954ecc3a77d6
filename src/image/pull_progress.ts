/** What a pull tells while it runs. */
import type { Digest } from "../oci/digest.ts";

/** One step of a pull; `layer` comes many times for each layer. */
export type PullProgress =
  /** The manifest is known: these layers make the image, bottom first. */
  | {
      readonly kind: "layers";
      readonly layers: readonly { readonly digest: Digest; readonly sizeBytes: number }[];
    }
  /** Another process has a layer that this pull wants. */
  | { readonly kind: "waiting" }
  | {
      readonly kind: "layer";
      readonly digest: Digest;
      readonly state: "exists" | "fetching" | "unpacked";
      /** Compressed bytes so far. */
      readonly doneBytes: number;
      readonly sizeBytes: number;
    };
