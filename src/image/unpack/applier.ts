/**
 * Decides what becomes of the entries of one layer, and has a target do it (layer_target.ts). It sees this layer alone, so
 * that layers can be unpacked side by side: what depends on the layers below (parents that no entry describes, hard links
 * to files that are not here) is listed in the result and done by lower_layers.ts. image-spec, layer.md.
 */

import type { ByteString } from "../../fs/byte_string.ts";
import { EEXIST } from "../../linux/abi/errno.ts";
import { SyscallError } from "../../linux/call.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarHandler } from "../tar/reader.ts";
import { type Skipped, timesOf } from "./attributes.ts";
import { HardLinks, type MissingLink } from "./hard_links.ts";
import { LayerBudget, type LayerLimits, layerLimits } from "./layer_budget.ts";
import { LayerError, unpackError } from "./layer_error.ts";
import { AUFS_LINKS, type EntryName, parseEntryName } from "./layer_path.ts";
import type { LayerTarget } from "./layer_target.ts";
import {
  type DirectoryNode,
  directoriesOf,
  LayerTree,
  newDirectory,
  pathOf,
  SymlinkLoop,
} from "./layer_tree.ts";
import type { UnpackOptions } from "./options.ts";
import { isInOpaque, Whiteouts } from "./whiteouts.ts";
import { isLikeHole } from "./zeros.ts";

const IMPLIED_MODE = 0o755;
/** Bits of device numbers that the kernel keeps (kdev_t.h). */
const MAJOR_MAX = 0xfff;
const MINOR_MAX = 0xfffff;

/** What became of a layer; all paths are relative to its root, parents before children. */
export interface LayerResult {
  readonly entries: number;
  /** Bytes of its files. */
  readonly sizeBytes: number;
  /** True when nothing of the layers below shows. */
  readonly opaque: boolean;
  /** Directories that exist only because something lies in them. */
  readonly implied: readonly ByteString[];
  /** Hard links whose target is not in this layer. */
  readonly links: readonly MissingLink[];
  readonly skipped: Skipped;
}

/** A name in a directory, for an entry. */
interface NewName {
  readonly parent: DirectoryNode;
  readonly name: ByteString;
  readonly entry: TarEntry;
}

/** Applies one layer; {@link finish} says what is left to do. */
export class LayerApplier implements TarHandler, Disposable {
  readonly #options: UnpackOptions;
  readonly #tree = new LayerTree();
  readonly #target: LayerTarget;
  readonly #whiteouts: Whiteouts;
  readonly #links: HardLinks;
  readonly #budget: LayerBudget;
  #entries = 0;
  #sizeBytes = 0;
  /** The parent that was resolved last, by its path in the archive. */
  #parentPath: ByteString | undefined;
  #parent: DirectoryNode | undefined;
  /** The file whose data follows. */
  #file: TarEntry | undefined;

  /** @param target disposed of with the applier */
  constructor(target: LayerTarget, options: UnpackOptions, limits: LayerLimits = layerLimits) {
    this.#budget = new LayerBudget(limits);
    this.#options = options;
    this.#target = target;
    this.#whiteouts = new Whiteouts(target);
    this.#links = new HardLinks(target, this.#tree);
  }

  /** @throws {LayerError} for an entry that no honest layer has, {UnpackError} when it cannot be written */
  onEntry(entry: TarEntry): void {
    this.#entries += 1;
    try {
      this.#apply(entry);
    } catch (error) {
      throw this.#explain(entry, error);
    }
  }

  onData(bytes: Uint8Array, offset: number): void {
    if (this.#file === undefined || isLikeHole(bytes)) return;
    try {
      this.#target.write(bytes, offset);
    } catch (error) {
      throw this.#explain(this.#file, error);
    }
  }

  onEntryEnd(): void {
    const entry = this.#file;
    if (entry === undefined) return;
    this.#file = undefined;
    try {
      this.#target.finishFile();
    } catch (error) {
      throw this.#explain(entry, error);
    }
  }

  /** Does what had to wait for the last entry. @throws {LayerError} and {UnpackError} as {@link onEntry} */
  finish(): LayerResult {
    const links = this.#links.finish();
    // Old layers of docker's have the first name of a linked file there; every other name is a link, and stays.
    if (this.#tree.root.children.has(AUFS_LINKS)) this.#remove(this.#tree.root, AUFS_LINKS);
    this.#whiteouts.removeHidden();
    this.#target.finish(this.#tree.root);
    const implied: ByteString[] = [];
    for (const node of directoriesOf(this.#tree.root))
      if (node.implied && !this.#isHidden(node)) implied.push(pathOf(node));
    return {
      entries: this.#entries,
      sizeBytes: this.#sizeBytes,
      opaque: this.#tree.root.opaque,
      implied,
      links,
      skipped: this.#target.skipped,
    };
  }

  [Symbol.dispose](): void {
    this.#target[Symbol.dispose]();
  }

  #apply(entry: TarEntry): void {
    const place = parseEntryName(entry.path);
    switch (place.kind) {
      case "ignored":
        break;
      case "link source":
        if (entry.type !== "file") break;
        this.#applyPlain(this.#resolveParent(place.parent, entry), place.name, entry);
        break;
      case "root":
        this.#applyRoot(entry);
        break;
      case "whiteout":
      case "opaque":
        this.#hide(place, entry);
        break;
      case "plain":
        this.#applyPlain(this.#resolveParent(place.parent, entry), place.name, entry);
        break;
    }
  }

  /** Archives of umoci's and others hide what lies in a directory that they hide, or replace, themselves. */
  #hide(place: Extract<EntryName, { kind: "whiteout" | "opaque" }>, entry: TarEntry): void {
    if (this.#isHiddenAlready(place.parent)) return;
    const parent = this.#resolveParent(place.parent, entry);
    if (place.kind === "whiteout") this.#whiteouts.hide(parent, place.name);
    else this.#whiteouts.hideAll(parent);
  }

  /** Whether a directory that this layer does not have is none of the layers below either, for this layer. */
  #isHiddenAlready(path: ByteString): boolean {
    let isHidden = false;
    this.#tree.resolve(path, (parent, name) => {
      isHidden = parent.children.has(name) || isInOpaque(parent) || this.#target.exists(parent, name);
      return undefined;
    });
    return isHidden;
  }

  #applyPlain(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    switch (entry.type) {
      case "file":
        this.#replace(parent, name, () => this.#target.createFile(parent, name, entry));
        this.#file = entry;
        this.#sizeBytes += entry.size;
        break;
      case "directory":
        this.#createDirectory(parent, name, entry);
        break;
      case "symlink":
        this.#budget.addLink(entry);
        this.#replace(parent, name, () => this.#target.createSymlink(parent, name, entry));
        parent.children.set(name, { kind: "symlink", target: entry.linkPath });
        break;
      case "link":
        this.#replace(parent, name, () => {
          if (this.#links.link({ parent, name, entry }) === "made") return;
          this.#budget.addLink(entry);
          this.#budget.addPath(entry.path, parent.pathBytes);
        });
        break;
      case "fifo":
      case "char":
      case "block":
        this.#createNode(parent, name, entry);
        break;
    }
  }

  #createDirectory(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    this.#budget.addAttributes(entry);
    const known = parent.children.get(name);
    const node =
      known?.kind === "directory" ? known : this.#makeDirectory({ parent, name, entry }, entry.mode);
    node.implied = false;
    node.times = timesOf(entry);
    this.#target.describeDirectory(node, entry, known !== node);
  }

  #makeDirectory({ parent, name, entry }: NewName, mode: number): DirectoryNode {
    this.#budget.addDirectory(entry.path);
    const replacesWhiteout = parent.children.get(name)?.kind === "whiteout";
    const node = newDirectory(parent, name);
    this.#replace(parent, name, () => this.#target.makeDirectory(node, mode));
    parent.children.set(name, node);
    // The whiteout removed what lies below; the directory alone would bring it back.
    if (replacesWhiteout) this.#whiteouts.hideAll(node);
    return node;
  }

  #createNode(parent: DirectoryNode, name: ByteString, entry: TarEntry): void {
    const { type, major, minor } = entry;
    if (major < 0 || major > MAJOR_MAX || minor < 0 || minor > MINOR_MAX) {
      throw new LayerError(entry.path, `its device number ${major}:${minor} does not exist`);
    }
    if (type !== "fifo" && this.#options.devices === "skip") this.#target.skipped.devices += 1;
    else this.#replace(parent, name, () => this.#target.createNode(parent, name, entry));
  }

  /** Creates a name; when it is taken, what has it goes first: the last entry of a name wins. */
  #replace(parent: DirectoryNode, name: ByteString, create: () => void): void {
    if (parent.children.has(name)) this.#remove(parent, name);
    try {
      create();
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== EEXIST) throw error;
      this.#remove(parent, name);
      create();
    }
  }

  #remove(parent: DirectoryNode, name: ByteString): void {
    this.#parentPath = undefined;
    this.#target.remove(parent, name);
  }

  /** A layer may describe its root, but not make something else of it (CVE-2021-29136). */
  #applyRoot(entry: TarEntry): void {
    if (entry.type !== "directory")
      throw new LayerError(entry.path, `it makes a ${entry.type} of the layer's root`);
    this.#target.describeRoot(entry);
    this.#tree.root.times = timesOf(entry);
  }

  #resolveParent(path: ByteString, entry: TarEntry): DirectoryNode {
    if (path === this.#parentPath && this.#parent !== undefined) return this.#parent;
    const node = this.#tree.resolve(path, (parent, name) => this.#makeImplied(parent, name, entry));
    if (node === undefined) throw new LayerError(entry.path, "its directory cannot be made");
    this.#parentPath = path;
    this.#parent = node;
    return node;
  }

  #makeImplied(parent: DirectoryNode, name: ByteString, entry: TarEntry): DirectoryNode {
    if (parent.children.get(name)?.kind !== "whiteout" && this.#target.exists(parent, name)) {
      throw new LayerError(entry.path, "it lies below an entry that is not a directory");
    }
    const node = this.#makeDirectory({ parent, name, entry }, IMPLIED_MODE);
    this.#budget.addPath(entry.path, node.pathBytes);
    this.#target.setImpliedMode(node, IMPLIED_MODE);
    node.implied = !node.opaque;
    node.times = timesOf(entry);
    return node;
  }

  #isHidden(node: DirectoryNode): boolean {
    for (let at: DirectoryNode | undefined = node.parent; at !== undefined; at = at.parent)
      if (at.opaque) return true;
    return false;
  }

  #explain(entry: TarEntry | undefined, error: unknown): unknown {
    const path = entry?.path ?? "";
    if (error instanceof SymlinkLoop) return new LayerError(path, "its path goes through too many symlinks");
    return unpackError(path, error);
  }
}
