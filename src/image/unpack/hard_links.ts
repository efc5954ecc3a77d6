/**
 * Hard links of a layer. A target may come later in the archive, then the link waits for it, or lie in a layer below,
 * then it is handed on. Chains of thousands of links are made one after the other, never by recursion.
 */

import type { ByteString } from "../../fs/byte_string.ts";
import { EEXIST, ENOENT } from "../../linux/abi/errno.ts";
import { SyscallError } from "../../linux/call.ts";
import type { TarEntry } from "../tar/entry.ts";
import { LayerError } from "./layer_error.ts";
import { cleanPath } from "./layer_path.ts";
import type { LayerTarget, TreePlace } from "./layer_target.ts";
import { type DirectoryNode, isAttached, type LayerTree, pathOf } from "./layer_tree.ts";

/** As many symlinks as a path may go through. */
const ROUNDS_MAX = 40;

/** A name that shall become a link. */
export interface NewLink {
  readonly parent: DirectoryNode;
  readonly name: ByteString;
  readonly entry: Pick<TarEntry, "path" | "linkPath">;
}

/** A link whose target is not in its layer; paths relative to the root. */
export interface MissingLink {
  readonly path: ByteString;
  readonly target: ByteString;
  /** Path in the archive, for messages. */
  readonly entry: ByteString;
}

/** Makes the hard links of one layer, at once or at its end. */
export class HardLinks {
  readonly #target: LayerTarget;
  readonly #tree: LayerTree;
  #waiting: NewLink[] = [];

  constructor(target: LayerTarget, tree: LayerTree) {
    this.#target = target;
    this.#tree = tree;
  }

  /**
   * Makes a link, or keeps it for later.
   * @returns which of the two
   * @throws {LayerError} for a target outside the layer, or one that is a directory
   * @throws {SyscallError} EEXIST
   */
  link(link: NewLink): "made" | "waits" {
    const result = this.#try(link);
    if (result >= 0) return "made";
    if (result !== -ENOENT) throw linkError(link, result);
    const { path, linkPath } = link.entry;
    // Without the entry's attributes, which may be large.
    this.#waiting.push({ ...link, entry: { path, linkPath } });
    link.parent.children.set(link.name, { kind: "waiting" });
    return "waits";
  }

  /** Makes the links that waited, as far as their targets exist by now; the rest, whose targets do not. */
  finish(): MissingLink[] {
    this.#waiting = this.#waiting.filter(({ parent }) => isAttached(parent));
    // A link to a symlink is a symlink, which may lead to where another link's target lies: only then a round is not enough.
    for (let round = 0, again = true; again && round < ROUNDS_MAX; round += 1) again = this.#round();
    return this.#waiting.map(({ parent, name, entry }) => {
      const directory = pathOf(parent);
      return {
        path: directory === "" ? name : `${directory}/${name}`,
        target: cleanPath(entry.linkPath, entry.path),
        entry: entry.path,
      };
    });
  }

  /**
   * Tries each link, and after each that could be made those that wait for its name: every link is tried a few times,
   * in whatever order a hostile archive has them.
   * @returns whether a symlink was made
   */
  #round(): boolean {
    const byPlace = new Map<DirectoryNode, Map<ByteString, NewLink[]>>();
    for (const link of this.#waiting) {
      const place = this.#placeOf(link);
      if (place === undefined) continue;
      const names = byPlace.get(place.directory) ?? new Map<ByteString, NewLink[]>();
      byPlace.set(place.directory, names);
      const links = names.get(place.name);
      if (links === undefined) names.set(place.name, [link]);
      else links.push(link);
    }
    const made = new Set<NewLink>();
    let madeSymlink = false;
    for (const first of this.#waiting) {
      const pending = [first];
      for (let link = pending.pop(); link !== undefined; link = pending.pop()) {
        if (made.has(link) || !this.#isMade(link)) continue;
        made.add(link);
        madeSymlink ||= link.parent.children.get(link.name)?.kind === "symlink";
        for (const next of byPlace.get(link.parent)?.get(link.name) ?? []) pending.push(next);
      }
    }
    this.#waiting = this.#waiting.filter((link) => !made.has(link));
    return madeSymlink;
  }

  /** Where the target of a link lies; undefined when its directory is not there. @throws {LayerError} */
  #placeOf({ entry }: NewLink): TreePlace | undefined {
    const target = cleanPath(entry.linkPath, entry.path);
    if (target === "") throw new LayerError(entry.path, "it is a hard link to the layer's root");
    const slash = target.lastIndexOf("/");
    const directory = this.#tree.resolve(slash < 0 ? "" : target.slice(0, slash), () => undefined);
    return directory === undefined ? undefined : { directory, name: target.slice(slash + 1) };
  }

  /** True when nothing is left to do: made, or its name was taken by a later entry. */
  #isMade(link: NewLink): boolean {
    const result = this.#try(link);
    if (result < 0 && result !== -ENOENT && result !== -EEXIST) throw linkError(link, result);
    return result !== -ENOENT;
  }

  #try(link: NewLink): number {
    const { parent, name, entry } = link;
    const place = this.#placeOf(link);
    const targetNode = place?.directory.children.get(place.name);
    if (place === undefined || targetNode?.kind === "whiteout") return -ENOENT;
    if (targetNode?.kind === "directory")
      throw new LayerError(entry.path, "it is a hard link to a directory");
    const result = this.#target.link(place, { directory: parent, name });
    // A link to a symlink is one as well: later paths may go through it.
    if (result === 0 && targetNode?.kind === "symlink") parent.children.set(name, targetNode);
    return result;
  }
}

function linkError({ entry }: NewLink, result: number): SyscallError {
  const text = `linkat(${JSON.stringify(entry.linkPath)})`;
  return new SyscallError({ name: "linkat", text, errno: -result });
}
