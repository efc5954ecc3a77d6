/** An archive, or the store, has an image, but not for the platform asked for. */
import { BunkerError } from "../../errors.ts";
import { formatPlatform, type Platform } from "../../oci/platform.ts";

/** @see PullError, which says the same of a registry */
export class OtherPlatformError extends BunkerError {
  readonly code = "PLATFORM_NOT_FOUND";

  /**
   * @param what e.g. `Cannot load the archive`
   * @param present platforms that there are
   */
  constructor(what: string, wanted: Platform, present: readonly Platform[]) {
    const there = [...new Set(present.map(formatPlatform))].sort().join(", ");
    super(`${what} for ${formatPlatform(wanted)}: it is there for ${there}`, {
      hint: "Choose one of these with --platform",
    });
  }
}
