/** An image of the store with everything beneath its index, to be copied from there: the store is an OCI layout too. */
import type { Descriptor } from "../../oci/descriptor.ts";
import { blobPath, type Digest } from "../../oci/digest.ts";
import { parseReference } from "../../oci/reference.ts";
import type { Referrer } from "../../oci/referrer.ts";
import type { Target } from "../../registry/client.ts";
import type { Document } from "../../registry/find_manifest.ts";
import type { StoredImage } from "../../store/find_image.ts";
import { CopyError } from "./copy_error.ts";
import { findBytes, findSound, hasBlob } from "./layout.ts";
import type { CopySource, Repository } from "./place.ts";

/** What is known of an image besides its content. */
export interface StoreSourceOptions {
  readonly root: string;
  readonly image: StoredImage;
  /** The registry that is copied to, and which of its repositories has which blob. */
  readonly registry: string;
  readonly origins: ReadonlyMap<Digest, string>;
}

/** Reads what an image's name meant when it was pulled: the index, if there was one. */
export class StoreSource implements CopySource {
  readonly name: string;
  readonly #options: StoreSourceOptions;

  constructor(options: StoreSourceOptions) {
    this.name = options.image.reference;
    this.#options = options;
  }

  repositoryOf(digest: Digest): Repository {
    const { registry, image, origins } = this.#options;
    const own = parseReference(image.reference);
    const repository = origins.get(digest);
    return repository === undefined ? own : { registry, repository };
  }

  async findTop(): Promise<Target | undefined> {
    const { root, image } = this.#options;
    const content = findSound(root, image.targetDigest);
    return content === undefined ? undefined : { digest: image.targetDigest, mediaType: content.mediaType };
  }

  async readTop(): Promise<Document> {
    const top = await this.findTop();
    const document = top === undefined ? undefined : await this.readDocument(top);
    if (document !== undefined) return document;
    throw new CopyError(`Cannot copy image "${this.name}": its index is not here`);
  }

  async findTag(): Promise<undefined> {
    return undefined;
  }

  async readDocument({ digest, mediaType }: Target): Promise<Document | undefined> {
    const bytes = findBytes(this.#options.root, digest);
    return bytes === undefined ? undefined : { digest, mediaType, bytes };
  }

  async open(descriptor: Descriptor, start: number): Promise<ReadableStream<Uint8Array>> {
    const { root } = this.#options;
    if (!hasBlob(root, descriptor))
      throw new CopyError(`Cannot copy image "${this.name}": its blob ${descriptor.digest} is not here`);
    return Bun.file(`${root}/${blobPath(descriptor.digest)}`)
      .slice(start)
      .stream();
  }

  /** The store has images only. */
  async listReferrers(): Promise<readonly Referrer[]> {
    return [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held between two reads.
  }
}
