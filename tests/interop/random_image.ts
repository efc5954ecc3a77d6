/**
 * Random but repeatable images: a tree of everything that a layer can hold, and layers above it that change it in every
 * way that the image specification knows (layer.md). The generator keeps the merged tree in mind, so that each change
 * meets something.
 */
import type { ByteString } from "../../src/fs/byte_string.ts";
import { pick, type Random } from "../helpers/random_policy.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { type NodeKind, randomNode } from "./random_node.ts";

/** What an archive may hold, and not every program does right. */
export const ODDITIES = [
  // Entries whose directories no entry of their layer describes.
  "implied directories",
  "hard links to lower files",
  // Entries whose path goes through a symbolic link, of their layer or of a lower one.
  "paths through links",
  "names twice",
  "access lists",
  "whiteouts in opaque directories",
] as const;

export type Oddity = (typeof ODDITIES)[number];

export interface RandomImageOptions {
  /** Layers are at most this many [4]. */
  readonly layersMax?: number;
  /** Changes of one layer are at most this many [16]. */
  readonly changesMax?: number;
  /** [none] */
  readonly odd?: readonly Oddity[];
}

/** What is at a path of the merged tree. */
interface Known {
  readonly entry: TarEntry;
  readonly layer: number;
}

const KINDS = ["file", "file", "file", "dir", "dir", "dir", "symlink", "fifo", "char", "block"] as const;
const DEPTH_MAX = 5;
const LONG = 255;
/** Few plain names, so that layers meet; and names that break what takes them for text, options or paths. */
const NAMES: readonly ByteString[] = [
  ..."abcde",
  ..."abcde",
  "lib",
  "etc",
  " ",
  "two words",
  "new\nline",
  "-rf",
  "a:b,c=d",
  "back\\slash",
  "...",
  "..data",
  ".wh",
  "x.wh.y",
  "~",
  "%s\u0007",
  "'quoted\"",
  Buffer.from("ünïcode", "utf8").toString("latin1"),
  "\xff\xfe",
  "n".repeat(LONG),
];

/** Layers, bottom first, each as the entries of its archive. */
export function randomLayers(random: Random, options: RandomImageOptions = {}): TarEntry[][] {
  const { layersMax = 4, changesMax = 16 } = options;
  const tree = new Map<ByteString, Known>();
  return Array.from({ length: 1 + random(layersMax) }, (_, index) => {
    const layer = new RandomLayer(tree, { random, options, index });
    // The first layer is to hold enough for the others to change.
    return layer.build(1 + random(changesMax) + (index === 0 ? changesMax : 0));
  });
}

class RandomLayer {
  readonly #tree: Map<ByteString, Known>;
  readonly #random: Random;
  readonly #odd: ReadonlySet<Oddity>;
  readonly #index: number;
  readonly #entries: TarEntry[] = [];
  /** Names that this layer has said something about. */
  readonly #touched = new Set<ByteString>();
  readonly #hidden: ByteString[] = [];
  /** Files of lower layers that this one has hard links to. */
  readonly #linked: ByteString[] = [];
  /** How names begin in this archive. */
  readonly #prefix: string;
  readonly #isImplied: boolean;
  /** Whether paths go through links of this layer, or through those of lower ones. */
  readonly #ownLinks: boolean;

  constructor(
    tree: Map<ByteString, Known>,
    { random, options, index }: { random: Random; options: RandomImageOptions; index: number },
  ) {
    this.#tree = tree;
    this.#random = random;
    this.#odd = new Set(options.odd);
    this.#index = index;
    this.#prefix = pick(random, ["", "", "./", "/"]);
    this.#ownLinks = random(2) === 0;
    this.#isImplied = this.#odd.has("implied directories") && random(2) === 0;
  }

  build(changes: number): TarEntry[] {
    if (this.#random(2) === 0) this.#entries.push({ ...this.#newNode("dir"), name: "./" });
    for (let left = changes; left > 0; left--) this.#change();
    return this.#entries;
  }

  #change(): void {
    const choice = this.#random(this.#index === 0 ? 12 : 20);
    if (choice < 9) this.#create();
    else if (choice < 12) this.#link();
    else if (choice < 14) this.#rename();
    else if (choice < 16) this.#hideAll();
    else if (choice < 18) this.#remove();
    else this.#describe();
  }

  /** A new name, or something else in the place of an old one. */
  #create(): void {
    const path = this.#newPath();
    if (path === undefined) return;
    const kind = pick(this.#random, KINDS);
    this.#put(path, this.#newNode(kind));
  }

  #link(): void {
    const targets = [...this.#tree].filter(
      ([path, { entry, layer }]) =>
        entry.type !== "dir" &&
        (layer === this.#index ? this.#touched.has(path) : this.#odd.has("hard links to lower files")),
    );
    const path = this.#newPath();
    if (targets.length === 0 || path === undefined) return;
    const [target, { entry }] = pick(this.#random, targets);
    if (target === path || target.startsWith(`${path}/`) || path.startsWith(`${target}/`)) return;
    if (!this.#touched.has(target)) {
      this.#touched.add(target);
      this.#linked.push(target);
    }
    const { data: _, sparse: __, ...attributes } = entry;
    this.#put(path, entry, { ...attributes, type: "hardlink", link: this.#prefix + target });
  }

  /** What docker writes for `mv`: everything anew, and a whiteout. */
  #rename(): void {
    const from = this.#lowerPath();
    const to = this.#newPath();
    if (
      from === undefined ||
      to === undefined ||
      to === from ||
      to.startsWith(`${from}/`) ||
      from.startsWith(`${to}/`)
    )
      return;
    const moved = [...this.#tree].filter(([path]) => path === from || path.startsWith(`${from}/`));
    this.#hide(from);
    for (const [path, { entry }] of moved) this.#put(to + path.slice(from.length), entry);
  }

  #remove(): void {
    const path = this.#lowerPath();
    if (path !== undefined && !this.#isWay(path)) this.#hide(path);
  }

  #hide(path: ByteString): void {
    this.#describeParents(path);
    const [directory, name] = split(path);
    this.#push(join(directory, `.wh.${name}`), { data: "" });
    this.#hidden.push(path);
    this.#touched.add(path);
    this.#forget(path);
  }

  /** An opaque directory with something new in it. */
  #hideAll(): void {
    const path = this.#pickDirectory();
    const mark = join(path, ".wh..wh..opq");
    if (path === "" || this.#touched.has(mark) || !this.#canHideAll(`${path}/`)) return;
    this.#describeParents(mark);
    this.#push(mark, { data: "" });
    this.#touched.add(mark);
    for (const known of [...this.#tree.keys()]) {
      if (known.startsWith(`${path}/`) && !this.#touched.has(known)) this.#tree.delete(known);
    }
    const name = join(path, pick(this.#random, NAMES));
    if (!this.#touched.has(name)) this.#put(name, this.#newNode("file"));
  }

  #canHideAll(prefix: ByteString): boolean {
    const below = (paths: Iterable<ByteString>): boolean =>
      [...paths].some((path) => path.startsWith(prefix));
    if (below(this.#hidden) && !this.#odd.has("whiteouts in opaque directories")) return false;
    // What follows depends on the order of entries then, for umoci, and for nobody else.
    return !(this.#isImplied && below(this.#touched)) && !below(this.#linked) && !this.#isWay(prefix);
  }

  /** True for a symlink that paths may go through, and for a directory that has some. */
  #isWay(path: ByteString): boolean {
    if (!this.#odd.has("paths through links")) return false;
    return [...this.#tree].some(([known, { entry }]) => entry.type === "symlink" && known.startsWith(path));
  }

  /** A directory with other attributes, and nothing else. */
  #describe(): void {
    const path = this.#pickDirectory();
    if (path !== "" && !this.#touched.has(path)) this.#put(path, this.#newNode("dir"));
  }

  /** Writes an entry; `written` when the archive has another than the tree, as for hard links. */
  #put(path: ByteString, entry: TarEntry, written: TarEntry = entry): void {
    this.#describeParents(path);
    if (entry.type !== "dir" || this.#tree.get(path)?.entry.type !== "dir") this.#forget(path);
    this.#push(path, written);
    this.#touched.add(path);
    this.#tree.set(path, { entry, layer: this.#index });
  }

  #push(path: ByteString, entry: Omit<TarEntry, "name">): void {
    const through = this.#odd.has("paths through links") ? this.#throughLink(path) : path;
    const link = typeof entry.link === "string" ? { link: bytes(entry.link) } : {};
    this.#entries.push({
      ...entry,
      ...link,
      name: bytes(this.#prefix + through + (entry.type === "dir" ? "/" : "")),
    });
  }

  /** The same place by way of a symbolic link to a directory above it, if there is one. */
  #throughLink(path: ByteString): ByteString {
    const ways = [...this.#tree].flatMap(([link, { entry, layer }]) => {
      const isWay = entry.type === "symlink" && (layer === this.#index) === this.#ownLinks;
      const target = isWay ? String(entry.link) : "";
      const isAbove = target.startsWith("/") && `/${path}`.startsWith(`${target}/`);
      return isAbove ? [{ link, through: link + path.slice(target.length - 1) }] : [];
    });
    if (ways.length === 0 || this.#random(2) === 0) return path;
    const { link, through } = pick(this.#random, ways);
    this.#touched.add(link);
    return through;
  }

  #describeParents(path: ByteString): void {
    const [directory] = split(path);
    if (directory === "" || this.#touched.has(directory)) return;
    this.#describeParents(directory);
    const known = this.#tree.get(directory);
    if (known === undefined || (this.#isImplied && this.#random(3) > 0)) return;
    this.#push(directory, known.entry);
    this.#touched.add(directory);
    this.#tree.set(directory, { ...known, layer: this.#index });
  }

  #newNode(kind: NodeKind): TarEntry {
    return randomNode(this.#random, kind, { accessLists: this.#odd.has("access lists") });
  }

  #forget(path: ByteString): void {
    for (const known of [...this.#tree.keys()]) {
      if (known === path || known.startsWith(`${path}/`)) this.#tree.delete(known);
    }
  }

  /** A path in a directory that is there, about which this layer has said nothing, nor of what is below it. */
  #newPath(): ByteString | undefined {
    const path = join(this.#pickDirectory(), pick(this.#random, NAMES));
    if (path.split("/").length > DEPTH_MAX) return undefined;
    return this.#odd.has("names twice") && this.#random(3) === 0 ? path : this.#untouched(path);
  }

  #untouched(path: ByteString): ByteString | undefined {
    const isTouched = [...this.#touched].some(
      (touched) => touched === path || touched.startsWith(`${path}/`),
    );
    return isTouched ? undefined : path;
  }

  #lowerPath(): ByteString | undefined {
    const lower = [...this.#tree].filter(([, { layer }]) => layer < this.#index);
    return lower.length === 0 ? undefined : this.#untouched(pick(this.#random, lower)[0]);
  }

  /** "" for the root. */
  #pickDirectory(): ByteString {
    const directories = [...this.#tree].filter(([, { entry }]) => entry.type === "dir").map(([path]) => path);
    return pick(this.#random, ["", ...directories]);
  }
}

const bytes = (text: ByteString): Uint8Array => Buffer.from(text, "latin1");
const join = (directory: ByteString, name: ByteString): ByteString =>
  directory === "" ? name : `${directory}/${name}`;

function split(path: ByteString): readonly [directory: ByteString, name: ByteString] {
  const slash = path.lastIndexOf("/");
  return [slash < 0 ? "" : path.slice(0, slash), path.slice(slash + 1)];
}
