/** A repository of a registry, to be copied to. */
import type { Digest } from "../../oci/digest.ts";
import { DEFAULT_TAG, formatReference, type Reference } from "../../oci/reference.ts";
import { RegistryClient } from "../../registry/client.ts";
import type { Document } from "../../registry/find_manifest.ts";
import { listReferrers, putManifest } from "../../registry/referrers.ts";
import { type BlobOutcome, RepositoryWriter, type WriterOptions } from "../../registry/writer.ts";
import type { BlobFeed } from "./blob_feed.ts";
import type { BlobDelivery, CopyTarget, Repository, Role } from "./place.ts";

/** Writes an image under the name of a reference. */
export class RegistryTarget implements CopyTarget {
  readonly name: string;
  readonly repository: Repository;
  /** Tag, or digest where there is none. */
  readonly #top: string;
  readonly #writer: RepositoryWriter;
  readonly #options: WriterOptions;
  /** One after the other: the list of what refers to an image is read, changed and written. */
  #referrers: Promise<void> = Promise.resolve();

  constructor(reference: Reference, options: WriterOptions) {
    this.name = formatReference(reference);
    this.repository = { registry: reference.registry, repository: reference.repository };
    this.#top = reference.digest ?? reference.tag ?? DEFAULT_TAG;
    this.#options = options;
    this.#writer = new RepositoryWriter(reference, options);
  }

  findTop(): Promise<Digest | undefined> {
    return this.#writer.findManifest(this.#top);
  }

  findTag(tag: string): Promise<Digest | undefined> {
    return this.#writer.findManifest(tag);
  }

  async hasDocument(digest: Digest): Promise<boolean> {
    return (await this.#writer.findManifest(digest)) === digest;
  }

  async findReferrers(subject: Digest): Promise<ReadonlySet<Digest>> {
    const { registry } = this.repository;
    const { registries = {}, signal } = this.#options;
    // Of the registry itself: a mirror may know of others.
    const client = new RegistryClient({
      ...this.#options,
      registries: { ...registries, [registry]: { ...registries[registry], mirrors: [] } },
    });
    const known = await listReferrers(client, { place: this.repository, subject, signal });
    return new Set(known.map(({ digest }) => digest));
  }

  async putBlob(feed: BlobFeed, { mountFrom, signal, onBytes }: BlobDelivery): Promise<BlobOutcome> {
    const open = (start: number, end: number): ReadableStream<Uint8Array> => feed.open(start, end);
    const either = AbortSignal.any([signal, feed.failed]);
    const outcome = await this.#writer.pushBlob(feed.descriptor, open, {
      mountFrom,
      onBytes,
      signal: either,
    });
    if (outcome === undefined) throw new Error("Cannot happen: a blob that can be opened was not sent");
    return outcome;
  }

  async putDocument(document: Document, role: Role): Promise<void> {
    const name = role.kind === "top" ? this.#top : role.kind === "tagged" ? role.tag : document.digest;
    if (role.kind !== "referrer") return putManifest(this.#writer, document, name);
    const turn = this.#referrers.then(() => putManifest(this.#writer, document, name));
    this.#referrers = turn.catch(() => undefined);
    return turn;
  }

  async finish(): Promise<void> {
    // A manifest counts as soon as it is there.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held between two requests.
  }
}
