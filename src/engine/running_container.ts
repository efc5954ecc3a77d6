/**
 * A container that runs, as seen from outside: what it has written, and what it shows. Nothing is mounted and nobody
 * enters it; its files are read where overlayfs keeps them, by descriptors (CVE-2018-15664).
 */
import { type Stats, statSync } from "node:fs";
import { BunkerError, UsageError } from "../errors.ts";
import type { ByteString } from "../fs/byte_string.ts";
import type { BothTrees } from "../image/differ/both_trees.ts";
import { DirectoryFiles } from "../image/tree/directory_files.ts";
import type { LayerFiles } from "../image/tree/layer_files.ts";
import { exists } from "../linux/small_file.ts";
import { CONTAINERS, USE_FILE } from "./container_directory.ts";
import { holdContainers, type RunningContainer } from "./container_uses.ts";
import { COPIED_ROOT } from "./copied_root.ts";
import { openMergedLayers } from "./merged_layers.ts";
import { findUpperInMemory, isUpperInMemory } from "./upper_in_memory.ts";

/** No container of that name or id runs. */
export class NoSuchContainerError extends BunkerError {
  readonly code = "CONTAINER_NOT_FOUND";

  constructor(word: string) {
    super(`Cannot find container ${JSON.stringify(word)}: none that runs has that name or id`, {
      hint: "Start it with bunker run --name NAME; a container is gone when its command has ended",
    });
  }
}

/** It ended while it was read: what was read is not all of it. */
export class ContainerEndedError extends BunkerError {
  readonly code = "CONTAINER_ENDED";
}

/** Shortest part of an id that is taken for one. */
const ID_DIGITS_MIN = 4;
/** A container is listed before its root is assembled: how long that may take, and how often it is looked at. */
const SETUP_MS_MAX = 3000;
const LOOK_MS = 10;
/** overlayfs' place for work in progress. */
const WORK = "work";

/**
 * Finds a running container by its name, its id, or the beginning of the id.
 * @throws {UsageError} when several ids begin so
 */
export function findContainer(root: string, word: string): RunningContainer | undefined {
  if (!exists(root)) return undefined;
  using uses = holdContainers(root);
  const named = uses.containers.find(({ name }) => name === word);
  if (named !== undefined || !/^[0-9a-f]{4,64}$/.test(word) || word.length < ID_DIGITS_MIN) return named;
  // What comes after the digits that a directory's name has cannot be compared.
  const found = uses.containers.filter(({ id }) => id.startsWith(word) || word.startsWith(id));
  if (found.length <= 1) return found[0];
  throw new UsageError(`Cannot choose container "${word}": ${found.length} ids begin with it`, {
    hint: "Give more digits of the id",
  });
}

/** @throws {NoSuchContainerError} {UsageError} */
export function getContainer(root: string, word: string): RunningContainer {
  const container = findContainer(root, word);
  if (container === undefined) throw new NoSuchContainerError(word);
  return container;
}

/** Absolute path of a container's directory. */
export const containerPath = (root: string, id: string): string => `${root}/${CONTAINERS}/${id}`;

/** Where the files are that a container has written. */
type WritablePlace =
  | { readonly kind: "upper"; readonly path: string }
  /** With everything else in one directory: overlayfs, or every mount, is refused on this machine. */
  | { readonly kind: "copied"; readonly path: string }
  /** On a tmpfs that only the container has. */
  | { readonly kind: "hidden" };

/** What bunker puts into a root that is a copy: planCopiedFiles(), planDevNodes(), and the base layer. */
const OWN_PATHS = ["dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

const isOwnPath = (path: ByteString): boolean => OWN_PATHS.includes(path);

/** The same with the mount points left, which the image has in most cases. */
const isOwnContent = (path: ByteString): boolean =>
  path.startsWith("dev/") || (path.startsWith("etc/") && isOwnPath(path));

/** What a container shows. */
export interface ShownFiles {
  readonly files: LayerFiles;
  /** True for paths whose files are bunker's and not the container's. */
  readonly isOwn: (path: ByteString) => boolean;
}

/** The files of a container; as an ordinary user they are read in that user's namespace. */
export class ContainerTree implements Disposable {
  /** The layers of its image, merged; without the mount points that bunker puts below them. */
  readonly lower: LayerFiles;
  readonly #root: string;
  readonly #container: RunningContainer;
  readonly #directory: string;
  readonly #inode: number | undefined;
  readonly #given: number | undefined;
  readonly #opened = new DisposableStack();

  /**
   * @param root the data root
   * @param given descriptor of the container's layer, where that lies in memory; without it, it is looked for
   * @throws {ContainerEndedError}
   */
  constructor(root: string, container: RunningContainer, given?: number) {
    this.#given = given;
    this.#root = root;
    this.#container = container;
    this.#directory = containerPath(root, container.id);
    this.#inode = this.#useInode();
    this.checkAlive();
    this.lower = this.#opened.use(openMergedLayers(root, container.layers));
  }

  /** @throws {UsageError} where its files cannot be reached */
  checkReachable(): void {
    if (this.#place().kind === "hidden") throw this.#hidden();
  }

  /** Opens what it has changed, beside its image. @throws {UsageError} where that cannot be reached */
  openChanges(): BothTrees {
    const place = this.#place();
    const upper = this.#opened.use(this.#open(place));
    return { upper, lower: this.lower, isOwn: place.kind === "copied" ? isOwnPath : undefined };
  }

  /** Opens what its processes see, without what is mounted. @throws {UsageError} where it cannot be reached */
  openShown(): ShownFiles {
    const place = this.#place();
    const own = this.#open(place);
    if (place.kind === "copied") return { files: this.#opened.use(own), isOwn: isOwnContent };
    const files = this.#opened.use(openMergedLayers(this.#root, this.#container.layers, own));
    return { files, isOwn: () => false };
  }

  /** @throws {ContainerEndedError} when it has ended since this was opened: its files are going, or gone */
  checkAlive(): void {
    if (!this.#isAlive()) throw this.#ended();
  }

  /** What to throw for an error that was met on the way: a container that ends explains all of them. */
  explain(error: unknown): unknown {
    return this.#isAlive() ? error : this.#ended();
  }

  #isAlive(): boolean {
    return this.#inode !== undefined && this.#useInode() === this.#inode;
  }

  #ended(): ContainerEndedError {
    return new ContainerEndedError(`Cannot read container ${this.#container.id}: it has ended meanwhile`, {
      hint: "Keep its command running until this is done",
    });
  }

  /** Whoever removes a container's directory removes this file first. */
  #useInode(): number | undefined {
    return this.#use()?.ino;
  }

  #use(): Stats | undefined {
    return statSync(`${this.#directory}/${USE_FILE}`, { throwIfNoEntry: false });
  }

  #place(): WritablePlace {
    const ageMs = Math.abs(Date.now() - (this.#use()?.mtimeMs ?? 0));
    for (const end = performance.now() + SETUP_MS_MAX - ageMs; ; Bun.sleepSync(LOOK_MS)) {
      const place = this.#placeNow();
      if (place.kind !== "hidden" || !this.#isAlive() || performance.now() >= end) return place;
    }
  }

  #placeNow(): WritablePlace {
    const copied = `${this.#directory}/${COPIED_ROOT}`;
    if (exists(copied)) return { kind: "copied", path: copied };
    if (this.#given !== undefined || isUpperInMemory(this.#directory)) return this.#placeInMemory();
    // overlayfs makes a directory of its own, of the same name, when it is mounted.
    if (!exists(`${this.#directory}/rw/${WORK}/${WORK}`)) return { kind: "hidden" };
    return { kind: "upper", path: `${this.#directory}/rw/upper` };
  }

  #placeInMemory(): WritablePlace {
    const found = this.#given ?? findUpperInMemory(this.#directory);
    if (found === undefined) return { kind: "hidden" };
    const number = typeof found === "number" ? found : this.#opened.use(found).number;
    // The dot makes it a directory of its own: a link is not followed.
    return { kind: "upper", path: `/proc/self/fd/${number}/.` };
  }

  #open(place: WritablePlace): DirectoryFiles {
    if (place.kind === "hidden") throw this.#hidden();
    const overlay = this.#container.overlayXattrs === "user" ? "user" : "trusted";
    return new DirectoryFiles(place.path, { overlay });
  }

  #hidden(): UsageError {
    const state = "what it writes lies on a tmpfs that only the container has";
    return new UsageError(`Cannot read the files of container ${this.#container.id}: ${state}`, {
      hint: "Ask as the user, and in the PID namespace, of its bunker run, or run it on a disk that is no overlay: --root DIRECTORY",
    });
  }

  [Symbol.dispose](): void {
    this.#opened[Symbol.dispose]();
  }
}
