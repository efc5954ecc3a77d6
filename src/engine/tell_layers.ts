/** The layers of a push or a copy as an observer hears of them. */
import type { PushProgress } from "../image/push_progress.ts";
import { type Digest, digestHex } from "../oci/digest.ts";
import type { LayerProgress, LayerState } from "./progress.ts";

/** What each state is called. */
export type StateNames = Readonly<Record<"pushing" | "pushed" | "exists" | "mounted", LayerState>>;

/** Hexadecimal digits of a layer's digest that are shown. */
const SHORT_DIGEST_LENGTH = 12;

/** The digits of a digest that are shown. */
export const shortDigest = (digest: Digest): string => digestHex(digest).slice(0, SHORT_DIGEST_LENGTH);

/** Tells one step. */
export function tellLayers(
  progress: PushProgress,
  states: StateNames,
  tell: (progress: LayerProgress) => void,
): void {
  if (progress.kind === "layer") {
    const { digest, state, doneBytes, sizeBytes, from } = progress;
    tell({ layer: shortDigest(digest), state: states[state], current: doneBytes, total: sizeBytes, from });
    return;
  }
  for (const { digest, sizeBytes } of progress.layers) {
    tell({ layer: shortDigest(digest), state: "preparing", current: 0, total: sizeBytes });
  }
}
