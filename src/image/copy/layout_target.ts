/**
 * An OCI layout, to be copied to; a new one where none is. Blobs get their names when they are whole, index.json is
 * replaced last, in one step, under a lock of the directory: whoever reads meanwhile sees the old state or the new one.
 * Manifests of Docker's types stay what they are, since another type would be another digest; skopeo overlooks them there.
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { isTemporary, removeTemporaries, writeFileAtomic } from "../../fs/atomic.ts";
import { Lock } from "../../fs/lock.ts";
import { NamelessFile } from "../../fs/nameless_file.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { Fd, openat, syncfs } from "../../linux/file.ts";
import { parseManifestDescriptor } from "../../oci/descriptor.ts";
import { blobPath, type Digest } from "../../oci/digest.ts";
import type { Document } from "../../registry/find_manifest.ts";
import type { BlobOutcome } from "../../registry/writer.ts";
import type { BlobFeed } from "./blob_feed.ts";
import { CopyError } from "./copy_error.ts";
import {
  EMPTY_INDEX,
  findLayoutIndex,
  findSound,
  hasBlob,
  hasWhole,
  type LayoutIndex,
  type NewEntry,
  newEntry,
  referrersIn,
} from "./layout.ts";
import { formatLayout, type LayoutName } from "./layout_source.ts";
import type { BlobDelivery, CopyTarget, Role } from "./place.ts";

/** Before the umask: layouts are made to be handed on. */
const FILE_MODE = 0o666;

/** Writes images into a layout. */
export class LayoutTarget implements CopyTarget {
  readonly name: string;
  readonly repository = undefined;
  readonly #directory: string;
  readonly #tag: string | undefined;
  readonly #signal: AbortSignal;
  /** Entries for index.json. */
  readonly #added: NewEntry[] = [];

  private constructor(name: LayoutName, signal: AbortSignal) {
    this.name = formatLayout(name);
    this.#directory = name.directory;
    this.#tag = name.tag;
    this.#signal = signal;
  }

  /**
   * Opens a layout, or begins one.
   * @throws {CopyError} when the directory holds something else
   */
  static async open(name: LayoutName, signal: AbortSignal): Promise<LayoutTarget> {
    const { directory } = name;
    if (findLayoutIndex(directory) === undefined) await begin(directory, signal);
    mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
    return new LayoutTarget(name, signal);
  }

  async findTop(): Promise<Digest | undefined> {
    return this.#tag === undefined ? undefined : this.findTag(this.#tag);
  }

  async findTag(wanted: string): Promise<Digest | undefined> {
    return this.#index().entries.find(({ tag }) => tag === wanted)?.descriptor.digest;
  }

  async hasDocument(digest: Digest): Promise<boolean> {
    return hasWhole(this.#directory, digest);
  }

  async findReferrers(subject: Digest): Promise<ReadonlySet<Digest>> {
    return new Set(referrersIn(this.#directory, this.#index(), subject).map(({ digest }) => digest));
  }

  async putBlob(feed: BlobFeed, { signal, onBytes }: BlobDelivery): Promise<BlobOutcome> {
    const { digest, size } = feed.descriptor;
    if (hasBlob(this.#directory, feed.descriptor)) return { kind: "exists" };
    using file = NamelessFile.create(`${this.#directory}/blobs/sha256`);
    let done = 0;
    for await (const chunk of feed.open(0, size)) {
      signal.throwIfAborted();
      file.write(chunk);
      done += chunk.length;
      onBytes(done);
    }
    file.link(`${this.#directory}/${blobPath(digest)}`);
    return { kind: "uploaded" };
  }

  async putDocument(document: Document, role: Role): Promise<void> {
    const { digest, bytes } = document;
    if (findSound(this.#directory, digest) === undefined) {
      using file = NamelessFile.create(`${this.#directory}/blobs/sha256`);
      file.write(bytes);
      file.link(`${this.#directory}/${blobPath(digest)}`);
    }
    const entry = newEntry(document, role, this.#tag);
    if (entry !== undefined) this.#added.push(entry);
  }

  async finish(): Promise<void> {
    if (this.#added.length === 0) return;
    using directory = new Fd(openat(AT_FDCWD, this.#directory, { flags: O_RDONLY | O_DIRECTORY }));
    syncfs(directory.number);
    using _ = await Lock.take(this.#directory, { signal: this.#signal });
    // Whoever wrote it had the lock, and died.
    removeTemporaries(this.#directory);
    const index = this.#added.reduce(withEntry, this.#index());
    const manifests = index.entries.map(({ object }) => object);
    writeFileAtomic(`${this.#directory}/index.json`, JSON.stringify({ ...index.top, manifests }), {
      mode: FILE_MODE,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held between two writes.
  }

  #index(): LayoutIndex {
    return findLayoutIndex(this.#directory) ?? EMPTY_INDEX;
  }
}

/** Under a lock: of two who begin, one finds what the other has made. */
async function begin(directory: string, signal: AbortSignal): Promise<void> {
  mkdirSync(directory, { recursive: true });
  using _ = await Lock.take(directory, { signal });
  if (existsSync(`${directory}/oci-layout`)) return;
  const other = readdirSync(directory).find((name) => name !== "blobs" && !isTemporary(name));
  if (other !== undefined) {
    throw new CopyError(`Cannot write an OCI layout to "${directory}": it holds "${other}"`, {
      hint: "Give a new directory, an empty one, or an OCI layout",
    });
  }
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
  // First: it says that the rest is ours, whatever ends this process.
  writeFileAtomic(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}', { mode: FILE_MODE });
  writeFileAtomic(`${directory}/index.json`, JSON.stringify({ ...EMPTY_INDEX.top, manifests: [] }), {
    mode: FILE_MODE,
  });
}

/** A tag names one image; what has no tag is there once. */
function withEntry(index: LayoutIndex, { tag, object }: NewEntry): LayoutIndex {
  const isSame = (other: LayoutIndex["entries"][number]): boolean =>
    tag === undefined ? other.descriptor.digest === object["digest"] : other.tag === tag;
  if (tag === undefined && index.entries.some(isSame)) return index;
  const entry = { descriptor: parseManifestDescriptor(object, "entry"), tag, object };
  return { ...index, entries: [...index.entries.filter((other) => !isSame(other)), entry] };
}
