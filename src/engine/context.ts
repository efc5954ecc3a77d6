/** Where the engine keeps its data, and whom it tells about a pull: the same for every call of one program. */
import type { PullObserver } from "./progress.ts";

/** Settings that every function of the engine takes as its last argument. */
export interface EngineContext {
  /** Directory of all data; undefined: /var/lib/bunker, or below $XDG_DATA_HOME when not root. */
  readonly root?: string | undefined;
  /** Directory of all volatile state; undefined: /run/bunker, or below $XDG_RUNTIME_DIR when not root. */
  readonly state?: string | undefined;
  /** Configuration file; undefined: the system's and the user's. */
  readonly config?: string | undefined;
  /**
   * The caller is a program that goes on with other work: wait without blocking its thread, and leave its signal
   * handlers alone. The command line leaves it out.
   */
  readonly embedded?: boolean | undefined;
  /** Descriptors that the command's output and errors go to; the caller's own when undefined. */
  readonly outputs?: readonly [stdout: number, stderr: number] | undefined;
  /**
   * Runs a pull so that the caller can end it: hands on a signal that is aborted then. Undefined: a pull goes on to its
   * end, or ends with the process.
   */
  readonly interruptible?: (<T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>) | undefined;
  /** Tell about decisions that are silent otherwise. */
  readonly debug: boolean;
  /** Called when `run` has to pull first; makes the observer only then, since a display costs start-up time. */
  readonly observePull?: (() => Promise<PullObserver>) | undefined;
}
