/** What control groups refuse. */
import { BunkerError } from "../../errors.ts";

/** A limit that was asked for cannot be set, or the group cannot be used. */
export class CgroupError extends BunkerError {
  readonly code = "CGROUP";
}
