/** Words for how mounts spread between host and container (mount_namespaces(7), "SHARED SUBTREES"). */
import type { MountRequest } from "./run_options.ts";

/** Propagation of a bind mount. */
export type Propagation = Extract<MountRequest, { type: "bind" }>["propagation"];

const WORDS: ReadonlySet<string> = new Set(["private", "rprivate", "slave", "rslave", "shared", "rshared"]);

/** Docker's default: nothing spreads either way. */
export const DEFAULT_PROPAGATION: Propagation = "rprivate";

/** Whether a word of a mount option is a propagation. */
export function isPropagation(word: string): word is Propagation {
  return WORDS.has(word);
}
