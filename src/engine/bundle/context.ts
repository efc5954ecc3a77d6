/** What every verb of the OCI runtime works with: where containers are kept, how groups are made, where messages go. */
import { BunkerError } from "../../errors.ts";

/** Levels of the log, as runc's callers know them. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Who makes control groups: this process by files, systemd, or nobody. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** Global settings of one call. */
export interface RuntimeContext {
  /** Directory that holds one directory for each container. */
  readonly root: string;
  readonly cgroupManager: CgroupManager;
  /** Not root, or to behave like it: what needs real privilege is left out. */
  readonly rootless: boolean;
  readonly log: (level: LogLevel, message: string) => void;
}

/**
 * An operation on a container that cannot be done: it does not exist, exists already, or is in another state. The
 * texts are those that callers of runc look for, so they are not in bunker's usual form.
 */
export class RuntimeError extends BunkerError {
  readonly code = "RUNTIME";
}
