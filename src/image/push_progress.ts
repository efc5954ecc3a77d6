/** What a push tells while it runs. */
import type { Digest } from "../oci/digest.ts";

/** One step of a push; `layer` comes many times for each layer. */
export type PushProgress =
  /** These layers make the image, bottom first. */
  | {
      readonly kind: "layers";
      readonly layers: readonly { readonly digest: Digest; readonly sizeBytes: number }[];
    }
  | {
      readonly kind: "layer";
      readonly digest: Digest;
      readonly state: "pushing" | "pushed" | "exists" | "mounted";
      /** The repository that it was mounted from. */
      readonly from?: string;
      /** Compressed bytes so far. */
      readonly doneBytes: number;
      readonly sizeBytes: number;
    };
