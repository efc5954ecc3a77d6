/** An image could not be copied, for a reason that lies in the image or in the place it comes from or goes to. */
import { BunkerError } from "../../errors.ts";

/** The error of a copy; registries have their own. */
export class CopyError extends BunkerError {
  readonly code = "COPY_FAILED";
}
