/**
 * A repository that is written to: blobs that are there are not sent again, blobs of other repositories of the registry are
 * mounted, and a manifest comes last. Mirrors are no place to write to.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { ACCEPTED_MANIFESTS } from "../oci/media_type.ts";
import { DEFAULT_TAG, formatReference, type Reference } from "../oci/reference.ts";
import { accessSettings, type RegistryClientOptions } from "./client.ts";
import { endpointsOf } from "./endpoint.ts";
import type { Exchange } from "./exchange.ts";
import { type Document, fetchManifest } from "./find_manifest.ts";
import { Notices } from "./notices.ts";
import { RegistryError } from "./registry_error.ts";
import { type ContentRequest, Session } from "./session.ts";
import type { AccessSettings } from "./token.ts";
import { type BlobContent, beginUpload, type UploadTarget, uploadBlob } from "./upload.ts";

/** How one blob came to be where it is wanted. */
export type BlobOutcome =
  | { readonly kind: "exists" }
  | { readonly kind: "mounted"; readonly from: string }
  | { readonly kind: "uploaded" };

/** How a repository is written to; defaults in brackets. */
export interface WriterOptions extends RegistryClientOptions {
  /** Bytes of a piece [16 MiB]. */
  readonly pieceBytes?: number;
  /** Never send a blob in one request [false]. */
  readonly inPieces?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a blob besides its bytes. */
export interface BlobPush {
  /** Another repository of the registry that should have it. */
  readonly mountFrom?: string | undefined;
  readonly onBytes?: (done: number) => void;
  /** [the writer's own] */
  readonly signal?: AbortSignal | undefined;
}

/** What a registry says to a manifest. */
export interface ManifestReceipt {
  /** True when the registry keeps the list of what refers to the manifest's subject (OCI-Subject). */
  readonly knowsSubject: boolean;
}

const PIECE_BYTES = 16 * 1024 * 1024;
/** Statuses of HEAD on a blob that end a push: the next request would get the same. */
const REFUSALS: readonly number[] = [401, 403, 429];

/** Writes to one repository. */
export class RepositoryWriter {
  readonly #reference: Reference;
  readonly #options: WriterOptions;
  readonly #settings: AccessSettings;
  readonly #session: Session;

  constructor(reference: Reference, options: WriterOptions = {}) {
    const { registries, certificates } = options;
    const endpoint = endpointsOf(reference.registry, registries, certificates?.hosts).at(-1);
    if (endpoint === undefined) throw new RangeError("Cannot push: there is no endpoint");
    this.#reference = reference;
    this.#options = options;
    this.#settings = accessSettings(endpoint, options);
    this.#session = new Session(this.#settings, {
      notices: new Notices(options.onWarning),
      findAuthorities: options.findAuthorities,
    });
  }

  /** Ends all that is done here. */
  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /**
   * Sees to it that a blob is in the repository.
   * @param open undefined when its bytes are not here: it can be there already, or be mounted
   * @returns undefined when it is not there, and there is nothing to upload
   * @throws {RegistryError}
   */
  async pushBlob(
    descriptor: Descriptor,
    open: BlobContent["open"] | undefined,
    { mountFrom, onBytes = () => undefined, signal = this.#options.signal }: BlobPush = {},
  ): Promise<BlobOutcome | undefined> {
    if (await this.#has(descriptor, signal)) return { kind: "exists" };
    const target = { ...this.#target(onBytes), signal };
    const opened = mountFrom === undefined ? undefined : await this.#tryMount(target, descriptor, mountFrom);
    if (mountFrom !== undefined && opened?.status === 201) return { kind: "mounted", from: mountFrom };
    if (open === undefined) return undefined;
    await uploadBlob(target, { descriptor, open }, opened);
    return { kind: "uploaded" };
  }

  /**
   * What a tag or a digest names in the repository at present, by HEAD.
   * @returns undefined when there is nothing, or the registry does not say
   * @throws {RegistryError} when it refuses
   */
  async findManifest(name: string): Promise<Digest | undefined> {
    const headers = { Accept: ACCEPTED_MANIFESTS };
    const exchange = await this.#request({ name, method: "HEAD", headers });
    if (REFUSALS.includes(exchange.status)) throw await this.#session.errorOf(exchange, this.#what, "push");
    await exchange.discard();
    const digest = exchange.header("docker-content-digest") ?? (isDigest(name) ? name : "");
    return exchange.status === 200 && isDigest(digest) ? digest : undefined;
  }

  /** The document that a tag names in the repository; undefined when there is none. @throws {RegistryError} */
  async findDocument(tag: string): Promise<Document | undefined> {
    const { registry, repository } = this.#reference;
    try {
      return await fetchManifest(this.#session, { registry, repository, tag }, this.#options);
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    }
  }

  /**
   * Puts a manifest into the repository.
   * @param name [its tag, or its digest when there is none]
   * @throws {RegistryError}
   */
  async pushManifest({ digest, mediaType, bytes }: Document, name?: string): Promise<ManifestReceipt> {
    const { tag, digest: pin } = this.#reference;
    const exchange = await this.#request({
      name: name ?? pin ?? tag ?? DEFAULT_TAG,
      method: "PUT",
      headers: { "Content-Type": mediaType },
      body: bytes,
    });
    if (exchange.status !== 201) throw await this.#session.errorOf(exchange, this.#what, "push");
    await exchange.discard();
    const found = exchange.header("docker-content-digest");
    if (found === null || found === digest) return { knowsSubject: exchange.header("oci-subject") !== null };
    throw new RegistryError(`Cannot push ${this.#what}: the registry made another digest of its manifest`, {
      code: "CONTENT_MISMATCH",
    });
  }

  #request(request: Pick<ContentRequest, "name" | "method" | "headers" | "body">): Promise<Exchange> {
    return this.#session.request({
      repository: this.#reference.repository,
      kind: "manifests",
      scope: this.#scope,
      what: this.#what,
      signal: this.#options.signal,
      ...request,
    });
  }

  get #what(): string {
    return `image "${formatReference(this.#reference)}"`;
  }

  get #scope(): string {
    return `repository:${this.#reference.repository}:pull,push`;
  }

  async #has({ digest, size }: Descriptor, signal: AbortSignal | undefined): Promise<boolean> {
    const exchange = await this.#session.request({
      repository: this.#reference.repository,
      kind: "blobs",
      name: digest,
      method: "HEAD",
      scope: this.#scope,
      what: this.#what,
      signal,
    });
    if (REFUSALS.includes(exchange.status)) throw await this.#session.errorOf(exchange, this.#what, "push");
    await exchange.discard();
    const length = exchange.header("content-length");
    // Another size cannot be the same blob: what is broken there is sent again.
    return exchange.status === 200 && (length === null || Number(length) === size);
  }

  /**
   * A refusal to mount is no failure: the blob can be uploaded.
   * @returns the reply, 201 when it is mounted, 202 when an upload was opened instead
   */
  async #tryMount(target: UploadTarget, { digest }: Descriptor, from: string): Promise<Exchange | undefined> {
    const scope = `${this.#scope} repository:${from}:pull`;
    try {
      return await beginUpload({ ...target, scope }, `?mount=${digest}&from=${encodeURIComponent(from)}`);
    } catch (error) {
      if (error instanceof RegistryError && error.status !== undefined) return undefined;
      throw error;
    }
  }

  #target(onBytes: (done: number) => void): UploadTarget {
    const { pieceBytes = PIECE_BYTES, inPieces = false, signal } = this.#options;
    return {
      session: this.#session,
      repository: this.#reference.repository,
      scope: this.#scope,
      retry: this.#settings.retry,
      pieceBytes,
      inPieces,
      what: this.#what,
      signal,
      onBytes,
    };
  }
}
