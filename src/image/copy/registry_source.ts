/** An image of a registry, to be copied from there. Mirrors are asked first, as by a pull. */
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import type { Referrer } from "../../oci/referrer.ts";
import { openBlob } from "../../registry/blob.ts";
import { RegistryClient, type RegistryClientOptions, type Target } from "../../registry/client.ts";
import { type Document, fetchManifest } from "../../registry/find_manifest.ts";
import { listReferrers } from "../../registry/referrers.ts";
import { RegistryError } from "../../registry/registry_error.ts";
import type { CopySource, Repository } from "./place.ts";

/** Reads one image, and what is around it in its repository. */
export class RegistrySource implements CopySource {
  readonly name: string;
  readonly #repository: Repository;
  readonly #reference: Reference;
  readonly #client: RegistryClient;
  readonly #signal: AbortSignal;

  constructor(reference: Reference, options: RegistryClientOptions, signal: AbortSignal) {
    this.name = formatReference(reference);
    this.#repository = { registry: reference.registry, repository: reference.repository };
    this.#reference = reference;
    this.#client = new RegistryClient(options);
    this.#signal = signal;
  }

  repositoryOf(): Repository {
    return this.#repository;
  }

  findTop(): Promise<Target | undefined> {
    return this.#client.findTarget(this.#reference, this.#signal);
  }

  readTop(): Promise<Document> {
    return this.#fetch(undefined);
  }

  async findTag(tag: string): Promise<Document | undefined> {
    const { registry, repository } = this.#repository;
    // HEAD first: in most cases there is none, and a GET would count as a pull.
    const reference = { registry, repository, tag };
    const target = await this.#client.findTarget(reference, this.#signal).catch(noneWhenMissing);
    return target === undefined ? undefined : this.readDocument(target);
  }

  readDocument(descriptor: Pick<Descriptor, "digest">): Promise<Document | undefined> {
    return this.#fetch(descriptor).catch(noneWhenMissing);
  }

  async open(
    descriptor: Descriptor,
    start: number,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const request = await this.#client.blobRequest(this.#reference, descriptor);
    return openBlob(request, AbortSignal.any([this.#signal, signal]), start);
  }

  listReferrers(subject: Digest, artifactType: string | undefined): Promise<readonly Referrer[]> {
    return listReferrers(this.#client, {
      place: this.#repository,
      subject,
      artifactType,
      signal: this.#signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held between two requests.
  }

  #fetch(expected: Pick<Descriptor, "digest"> | undefined): Promise<Document> {
    const signal = this.#signal;
    return this.#client.ask(this.#repository, (session) =>
      fetchManifest(session, this.#reference, { expected, signal }),
    );
  }
}

function noneWhenMissing(error: unknown): undefined {
  if (error instanceof RegistryError && error.status === 404) return;
  throw error;
}
