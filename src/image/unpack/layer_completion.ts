/**
 * Completes one layer from those below it. Overlayfs shows a directory with the attributes of its topmost layer, so one
 * that no entry described must look as it does below; where it is a symlink below, what lies in it belongs to the
 * symlink's target. A hard link to a file of a lower layer needs that file in this one.
 */
import type { ByteString } from "../../fs/byte_string.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../../oci/whiteout.ts";
import type { LayerNodeKind } from "../tree/layer_files.ts";
import { joinPath, nameOf, parentOf } from "../tree/paths.ts";
import type { MissingLink } from "./hard_links.ts";
import type { LayerEditor } from "./layer_editor.ts";
import { LayerError, unpackError } from "./layer_error.ts";
import type { LowerView } from "./lower_view.ts";
import { MovedPaths } from "./moved_paths.ts";

const SYMLINKS_MAX = 40;

/** A name in the merged view of a layer and those below. */
interface Found {
  readonly kind: LayerNodeKind;
  readLink(): ByteString;
}

/** A place that hard links may lead to. */
interface LinkSource {
  readonly path: ByteString;
  /** True when nothing of the layers below shows there. */
  readonly isOpaque: boolean;
}

/** Which layers are asked. */
interface Where {
  readonly belowOnly: boolean;
  readonly ownOnly: boolean;
}

/** What a mark hides that is a file `.wh.NAME`. */
const markedBy = (path: ByteString): ByteString =>
  joinPath(parentOf(path), nameOf(path).slice(WHITEOUT_FILE.length));

/** Completes one layer from a view of those below. */
export class LayerCompletion {
  readonly #layer: LayerEditor;
  readonly #view: LowerView;
  /** Directories whose content went elsewhere: from, to. */
  readonly #moves = new MovedPaths();
  /** Directories that no entry described, by any of the ways to them. */
  readonly #implied = new Set<ByteString>();

  constructor(layer: LayerEditor, view: LowerView) {
    this.#layer = layer;
    this.#view = view;
  }

  /** Gives directories that no entry described what they have below. @param paths parents before what is in them */
  completeDirectories(paths: readonly ByteString[]): void {
    for (const path of paths) this.#implied.add(path);
    for (const path of paths) if (this.#implied.has(path)) this.#completeDirectory(this.#moved(path));
  }

  /**
   * Removes marks for nothing. It comes last: a directory that holds nothing else yet may be that of a hard link.
   * @param paths as of {@link completeDirectories}
   */
  removeMarks(paths: readonly ByteString[]): void {
    // What is in a directory goes before it.
    for (const path of paths.toReversed()) if (this.#implied.has(path)) this.#removeMarks(this.#moved(path));
  }

  #completeDirectory(path: ByteString): void {
    const found = this.#view.find(path);
    if (found === undefined || this.#layer.kindOf(path) !== "directory") return;
    if (found.node.kind === "directory") this.#layer.describe(path, found);
    else if (found.node.kind === "symlink") this.#moveToTarget(path);
  }

  /**
   * There is nothing to hide in a directory that no layer below has, and readdir(3) of an overlay would show the marks. One
   * that was made for them alone goes too: a file or symlink that lies there below shows again.
   */
  #removeMarks(directory: ByteString): void {
    if (this.#layer.kindOf(directory) !== "directory") return;
    if (this.#view.find(directory)?.node.kind === "directory") return;
    for (const name of this.#layer.list(directory)) {
      const path = joinPath(directory, name);
      if (this.#layer.isMark(path)) this.#layer.removeFile(path);
    }
    const rest = this.#layer.list(directory).filter((name) => name !== OPAQUE_FILE);
    if (rest.length > 0) return;
    if (this.#layer.kindOf(joinPath(directory, OPAQUE_FILE)) !== undefined)
      this.#layer.removeFile(joinPath(directory, OPAQUE_FILE));
    this.#layer.removeDirectory(directory);
  }

  /** Makes hard links whose targets lie below. @throws {LayerError} when one has none */
  completeLinks(links: readonly MissingLink[]): void {
    let waiting = links;
    // A link to a symlink is one as well, and may lead to where another link's target lies: then a round is not enough.
    for (let round = 0; waiting.length > 0; round += 1) {
      const rest = this.#linkRound(waiting);
      const [first] = rest;
      if (first !== undefined && (rest.length === waiting.length || round === SYMLINKS_MAX)) {
        throw new LayerError(first.entry, "it is a hard link to something that does not exist");
      }
      waiting = rest;
    }
  }

  /**
   * Tries each link, and after each that could be made those that wait for its name: in whatever order a hostile archive
   * has a chain of links, each is tried a few times.
   * @returns those that could not be made
   */
  #linkRound(waiting: readonly MissingLink[]): readonly MissingLink[] {
    // What lies below these names is no target.
    const names = new Set(waiting.map(({ path }) => this.#moved(path)));
    const behind = Map.groupBy(waiting, (link) => this.#sourceOf(link)?.path);
    const made = new Set<MissingLink>();
    for (const first of waiting) {
      const pending = [first];
      for (let link = pending.pop(); link !== undefined; link = pending.pop()) {
        if (made.has(link) || !this.#completeLink(link, names)) continue;
        made.add(link);
        for (const next of behind.get(this.#moved(link.path)) ?? []) pending.push(next);
      }
    }
    return waiting.filter((link) => !made.has(link));
  }

  /** Where the target of a link lies; undefined while its directory is not there. */
  #sourceOf({ target, entry }: MissingLink): LinkSource | undefined {
    try {
      const directory = this.#resolve(parentOf(target), false);
      return directory && { ...directory, path: joinPath(directory.path, nameOf(target)) };
    } catch (error) {
      throw unpackError(entry, error);
    }
  }

  /**
   * @param names of the links that are still to be made
   * @returns false when there is no target, or none yet
   */
  #completeLink(link: MissingLink, names: Set<ByteString>): boolean {
    const source = this.#sourceOf(link);
    const place = this.#moved(link.path);
    if (source === undefined || (names.has(source.path) && source.path !== place)) return false;
    try {
      // By another way, through a symlink, something has taken the place of its directory.
      if (this.#layer.kindOf(parentOf(place)) !== "directory") return true;
      if (!this.#bringUp(source)) return false;
      this.#layer.link(source.path, place);
    } catch (error) {
      throw unpackError(link.entry, error);
    }
    names.delete(place);
    return true;
  }

  /** Makes sure that this layer itself has the file. @returns false when there is none, or it is a directory */
  #bringUp({ path, isOpaque }: LinkSource): boolean {
    const own = this.#layer.kindOf(path);
    if (own !== undefined) return own !== "directory" && own !== "whiteout";
    const found = isOpaque ? undefined : this.#view.find(path);
    if (found === undefined || found.node.kind === "directory") return false;
    this.#makeDirectories(parentOf(path));
    return this.#layer.copyFile(path, found);
  }

  /** Where `path` is a symlink below, moves what this layer has in it to where the symlink leads. */
  #moveToTarget(path: ByteString): void {
    const target = this.#resolve(path, true)?.path;
    // A symlink to nothing, or into itself: the directory then takes its place.
    if (target === undefined || target === path || target.startsWith(`${path}/`)) return;
    this.#makeDirectories(target);
    this.#merge(path, target);
    this.#layer.removeDirectory(path);
    this.#moves.add(path, target);
  }

  /** Moves what is in one directory of this layer into another, as if all had been put there at once. */
  #merge(from: ByteString, to: ByteString): void {
    if (this.#layer.isOpaque(from)) this.#layer.markOpaque(to);
    for (const name of this.#layer.list(from)) this.#mergeName(joinPath(from, name), joinPath(to, name));
  }

  #mergeName(from: ByteString, to: ByteString): void {
    const [moving, present] = [this.#layer.kindOf(from), this.#layer.kindOf(to)];
    if (this.#layer.isMark(from)) this.#keep(moving === "whiteout" ? to : markedBy(to));
    if (moving === "whiteout" && present !== undefined) {
      // It speaks of the layers below only, and what is here hides them, but for what a directory lets through.
      if (present === "directory") this.#layer.markOpaque(to);
      this.#layer.removeFile(from);
    } else if (moving === "directory" && present === "directory") {
      if (!this.#implied.delete(from)) {
        this.#implied.delete(to);
        this.#layer.describeAs(to, from);
      }
      this.#merge(from, to);
      this.#layer.removeDirectory(from);
    } else {
      if (moving === "directory" && present === "whiteout") {
        this.#layer.markOpaque(from);
        this.#keep(from);
      }
      // What it would replace is the directory that it lies in.
      if (from.startsWith(`${to}/`)) throw new LayerError(from, "its path goes through itself by a symlink");
      this.#layer.move(from, to);
    }
  }

  /** One in the place of a whiteout is none of those that are as below, nor one made for marks alone. */
  #keep(path: ByteString): void {
    this.#implied.delete(path);
  }

  /** Creates what is missing of a directory that exists below, as it is there. */
  #makeDirectories(path: ByteString): void {
    if (path === "" || this.#layer.kindOf(path) !== undefined) return;
    this.#makeDirectories(parentOf(path));
    const found = this.#view.find(path);
    if (found === undefined) throw new Error("Cannot happen: a directory of the layers below is gone");
    this.#layer.makeDirectory(path, found);
  }

  /**
   * The real path of a directory in the merged view of this layer and those below; undefined when it is none.
   * @param throughOwn true to look through this layer's own last component, at the symlink below it; a path of this
   * layer's then goes through what its opaque marks hide, too, since it may make the same directories anew
   */
  #resolve(path: ByteString, throughOwn: boolean): LinkSource | undefined {
    const rest = path.split("/").reverse();
    /** Directories on the way in which nothing of the layers below shows. */
    const opaque = new Set<ByteString>();
    const enter = (directory: ByteString, isInOpaque: boolean): ByteString => {
      if (!throughOwn && (isInOpaque || this.#isOpaque(directory))) opaque.add(directory);
      return directory;
    };
    let at = enter("", false);
    let symlinks = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = parentOf(at);
        continue;
      }
      const next = joinPath(at, name);
      const found = this.#lookUp(next, { belowOnly: throughOwn && next === path, ownOnly: opaque.has(at) });
      if (found === undefined) return undefined;
      if (found.kind === "directory") {
        at = enter(next, opaque.has(at));
        continue;
      }
      symlinks += 1;
      if (found.kind !== "symlink" || symlinks > SYMLINKS_MAX) return undefined;
      const target = found.readLink();
      if (target.startsWith("/")) at = "";
      rest.push(...target.split("/").reverse());
    }
    return { path: at, isOpaque: opaque.has(at) };
  }

  #isOpaque(directory: ByteString): boolean {
    return this.#layer.kindOf(directory) === "directory" && this.#layer.isOpaque(directory);
  }

  #lookUp(path: ByteString, { belowOnly, ownOnly }: Where): Found | undefined {
    const own = belowOnly ? undefined : this.#layer.kindOf(path);
    if (own === "whiteout") return undefined;
    if (own !== undefined) return { kind: own, readLink: () => this.#layer.readLink(path) };
    if (ownOnly) return undefined;
    const below = this.#view.find(path);
    return below && { kind: below.node.kind, readLink: () => below.files.readLink(below.node) };
  }

  #moved(path: ByteString): ByteString {
    return this.#moves.find(path);
  }
}
