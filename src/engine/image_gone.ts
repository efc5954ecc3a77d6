/** An image was removed by somebody between being found and being used. */
import { BunkerError } from "../errors.ts";

/** The image is not here any more. */
export class ImageGoneError extends BunkerError {
  readonly code = "IMAGE_GONE";

  constructor() {
    super("Cannot use the image: it was removed, or lacks a layer", {
      hint: "Pull it again with bunker pull",
    });
  }
}
