/**
 * A new archive, to be copied to: an OCI layout as a tar file, with docker's manifest.json where that form is wanted. What
 * comes goes straight into the file, one blob after the other; the file gets its name when all of it is there.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { NamelessFile } from "../../fs/nameless_file.ts";
import { blobPath, type Digest } from "../../oci/digest.ts";
import type { JsonObject } from "../../oci/json.ts";
import { parseDocument } from "../../oci/manifest.ts";
import { familiarReference, parseReference } from "../../oci/reference.ts";
import type { Document } from "../../registry/find_manifest.ts";
import type { BlobOutcome } from "../../registry/writer.ts";
import { END, header, padding, recordPadding } from "../tar/writer.ts";
import { type ArchiveName, formatArchive } from "./archive_name.ts";
import type { BlobFeed } from "./blob_feed.ts";
import { CopyError } from "./copy_error.ts";
import { EMPTY_INDEX, newEntry } from "./layout.ts";
import type { BlobDelivery, CopyTarget, Role } from "./place.ts";

/** Writes one image into a new file. */
export class ArchiveTarget implements CopyTarget {
  readonly name: string;
  readonly repository = undefined;
  readonly #place: ArchiveName;
  readonly #file: NamelessFile;
  readonly #written = new Set<Digest>();
  readonly #entries: JsonObject[] = [];
  #top: Document | undefined;
  #size = 0;
  /** One after the other: an entry of an archive is whole before the next begins. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws {CopyError} when the file exists */
  constructor(place: ArchiveName) {
    this.name = formatArchive(place);
    if (existsSync(place.file)) {
      throw new CopyError(`Cannot write archive "${place.file}": it exists`, {
        hint: "Remove it first, or give another name",
      });
    }
    this.#place = place;
    this.#file = NamelessFile.create(dirname(place.file));
  }

  async findTop(): Promise<undefined> {
    return undefined;
  }

  async findTag(): Promise<undefined> {
    return undefined;
  }

  async hasDocument(digest: Digest): Promise<boolean> {
    return this.#written.has(digest);
  }

  async findReferrers(): Promise<ReadonlySet<Digest>> {
    return new Set();
  }

  putBlob(feed: BlobFeed, delivery: BlobDelivery): Promise<BlobOutcome> {
    return this.#inTurn(() => this.#append(feed, delivery));
  }

  async putDocument(document: Document, role: Role): Promise<void> {
    const { digest, bytes } = document;
    await this.#inTurn(async () => this.#entry(blobPath(digest), bytes));
    this.#written.add(digest);
    if (role.kind === "top") this.#top = document;
    const entry = newEntry(document, role, this.#place.tag);
    if (entry !== undefined) this.#entries.push(entry.object);
  }

  async finish(): Promise<void> {
    if (this.#place.form === "docker-archive") this.#json("manifest.json", [this.#dockerEntry()]);
    this.#json("index.json", { ...EMPTY_INDEX.top, manifests: this.#entries });
    this.#json("oci-layout", { imageLayoutVersion: "1.0.0" });
    this.#write(END);
    this.#write(recordPadding(this.#size));
    this.#file.flush();
    this.#file.link(this.#place.file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#turn]);
    this.#file[Symbol.dispose]();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result;
    return result;
  }

  async #append(feed: BlobFeed, { signal, onBytes }: BlobDelivery): Promise<BlobOutcome> {
    const { digest, size } = feed.descriptor;
    signal.throwIfAborted();
    if (this.#written.has(digest)) return { kind: "exists" };
    this.#header(blobPath(digest), size);
    let done = 0;
    for await (const chunk of feed.open(0, size)) {
      signal.throwIfAborted();
      this.#write(chunk);
      done += chunk.length;
      onBytes(done);
    }
    this.#write(padding(size));
    this.#written.add(digest);
    return { kind: "uploaded" };
  }

  /** What docker's own reader goes by. */
  #dockerEntry(): JsonObject {
    const content = this.#top === undefined ? undefined : parseDocument(this.#top.bytes);
    if (content?.kind !== "manifest") {
      throw new CopyError(`Cannot write archive "${this.#place.file}": docker's form holds no index`, {
        hint: "Copy one platform, or write oci-archive: in place of docker-archive:",
      });
    }
    const { tag } = this.#place;
    return {
      Config: blobPath(content.config.digest),
      RepoTags: tag === undefined ? null : [familiarReference(parseReference(tag))],
      Layers: content.layers.map(({ digest }) => blobPath(digest)),
    };
  }

  #json(path: string, value: unknown): void {
    this.#entry(path, Buffer.from(JSON.stringify(value)));
  }

  #entry(path: string, bytes: Uint8Array): void {
    this.#header(path, bytes.length);
    this.#write(bytes);
    this.#write(padding(bytes.length));
  }

  #header(path: string, size: number): void {
    const nobody = { uid: 0, gid: 0, major: 0, minor: 0, linkPath: "", xattrs: new Map<string, string>() };
    const mtime = { seconds: 0, nanoseconds: 0 };
    this.#write(header({ ...nobody, path, type: "file", size, mode: 0o644, mtime }));
  }

  #write(bytes: Uint8Array): void {
    this.#file.write(bytes);
    this.#size += bytes.length;
  }
}
