/**
 * Directories whose content went elsewhere: where a path lies that was written before. A tree of names, since a hostile
 * layer may have a hundred thousand such directories, and each path is asked for.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { joinPath } from "../tree/paths.ts";

interface Branch {
  readonly branches: Map<ByteString, Branch>;
  /** Where what lies here went. */
  to: ByteString | undefined;
}

const newBranch = (): Branch => ({ branches: new Map(), to: undefined });

/** Moves from directory to directory, one after the other. */
export class MovedPaths {
  readonly #root = newBranch();
  #count = 0;

  /** @param from where it was, as {@link find} gives it; not the root */
  add(from: ByteString, to: ByteString): void {
    let at = this.#root;
    for (const name of from.split("/")) {
      const next = at.branches.get(name) ?? newBranch();
      at.branches.set(name, next);
      at = next;
    }
    at.to = to;
    this.#count += 1;
  }

  /** The path after all moves; itself when nothing above it was moved. */
  find(path: ByteString): ByteString {
    let moved = path;
    for (let moves = 0; moves < this.#count; moves += 1) {
      const next = this.#first(moved);
      if (next === undefined) break;
      moved = next;
    }
    return moved;
  }

  /** The path after the first move that is of one of its directories, or of itself; undefined when there is none. */
  #first(path: ByteString): ByteString | undefined {
    let at = this.#root;
    for (let start = 0; start <= path.length; ) {
      const slash = path.indexOf("/", start);
      const end = slash < 0 ? path.length : slash;
      const next = at.branches.get(path.slice(start, end));
      if (next === undefined) return undefined;
      if (next.to !== undefined)
        return end === path.length ? next.to : joinPath(next.to, path.slice(end + 1));
      at = next;
      start = end + 1;
    }
    return undefined;
  }
}
