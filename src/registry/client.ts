/**
 * Images of one or many registries, as far as HTTP goes: what a name means for a platform, and where its blobs are.
 * Mirrors are asked first. Every document is checked against its digest before it is read; nothing touches a disk.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOfBytes, isDigest } from "../oci/digest.ts";
import { type ImageConfig, parseImageConfig } from "../oci/image_config.ts";
import { DOCUMENT_BYTES_MAX } from "../oci/json.ts";
import {
  ArtifactError,
  chooseManifest,
  type ImageIndex,
  type ImageManifest,
  parseManifest,
} from "../oci/manifest.ts";
import { ACCEPTED_MANIFESTS, bareMediaType } from "../oci/media_type.ts";
import { choosePlatform, formatPlatform, hostPlatform, type Platform } from "../oci/platform.ts";
import { DEFAULT_TAG, formatReference, type Reference } from "../oci/reference.ts";
import { mayFollow } from "./address.ts";
import { type BlobRequest, type BlobSource, openBlob } from "./blob.ts";
import type { CredentialStore } from "./credentials.ts";
import { type Endpoint, endpointsOf } from "./endpoint.ts";
import { DEFAULT_TIMEOUTS, type Exchange, type Timeouts } from "./exchange.ts";
import { Notices, type Quota } from "./notices.ts";
import type { RegistriesConfig } from "./registries_config.ts";
import { mostTelling, RegistryError } from "./registry_error.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import { type ContentRequest, Session } from "./session.ts";
import type { AccessSettings } from "./token.ts";
import { type CertificateStore, trustOf } from "./trust.ts";

/** What a client is told once: where registries are, who asks, how patiently. */
export interface RegistryClientOptions {
  readonly registries?: RegistriesConfig;
  readonly credentials?: CredentialStore;
  readonly retry?: Partial<RetryPolicy>;
  readonly timeouts?: Partial<Timeouts>;
  /** [none but what Bun knows] */
  readonly certificates?: CertificateStore;
  /** Hears what registries want the user to know, a line each, once. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** A document as it was served; its digest has been checked. */
export interface Document {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a tag names at present. */
export interface Target {
  readonly digest: Digest;
  readonly mediaType: string;
}

/** Everything about an image but its layers. */
export interface ResolvedImage {
  readonly reference: Reference;
  /** Digest of what the reference names: the index, or the manifest when there is none. */
  readonly targetDigest: Digest;
  /** Indices on the way to the manifest, outermost first. */
  readonly indices: readonly Document[];
  readonly manifestDocument: Document;
  readonly manifestDigest: Digest;
  readonly manifest: ImageManifest;
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** True when the image is not for the platform asked for, which only an image without an index can be. */
  readonly isOtherPlatform: boolean;
}

/** What one look-up is for. */
export interface ResolveOptions {
  /** [this machine's] */
  readonly platform?: Platform;
  readonly signal?: AbortSignal | undefined;
}

const NO_CERTIFICATES: CertificateStore = { hosts: {}, system: [] };
/** Most indices on the way to a manifest. */
const INDEX_DEPTH_MAX = 4;
/** Statuses of HEAD that end the matter; others may mean that HEAD is not supported. */
const TELLING_STATUSES: readonly number[] = [401, 403, 404, 429];

interface FoundManifest {
  readonly indices: readonly Document[];
  readonly document: Document;
  readonly manifest: ImageManifest;
}

/** Asks registries for images; keeps tokens for as long as it lives. */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #notices: Notices;
  readonly #sessions = new Map<string, readonly Session[]>();
  /** By repository: the session that had its manifest will have its blobs. */
  readonly #preferred = new Map<string, Session>();

  constructor(options: RegistryClientOptions = {}) {
    this.#options = options;
    this.#notices = new Notices(options.onWarning);
  }

  /** How many pulls are left at a registry, as its last reply said it; undefined when it said nothing. */
  quota(registry: string): Quota | undefined {
    return this.#notices.quota(registry);
  }

  /**
   * What a reference names at present, by HEAD: Docker Hub does not count it as a pull.
   * @returns undefined when nobody answers HEAD with a digest, be it that there is no such image, be it that HEAD is not
   * supported, which some registries say with 404, too: {@link resolve} finds out
   * @throws {RegistryError} when access is denied
   */
  async findTarget(reference: Reference, signal?: AbortSignal): Promise<Target | undefined> {
    const find = async (session: Session): Promise<Target | undefined> => {
      const what = describeImage(reference);
      const exchange = await session.request({ ...manifestRequest(reference), method: "HEAD", what, signal });
      if (TELLING_STATUSES.includes(exchange.status)) throw await session.errorOf(exchange, what);
      await exchange.discard();
      const digest = exchange.header("docker-content-digest") ?? "";
      const isPinned = reference.digest === undefined || reference.digest === digest;
      if (exchange.status !== 200 || !isDigest(digest) || !isPinned) return undefined;
      return { digest, mediaType: bareMediaType(exchange.header("content-type") ?? "") };
    };
    return this.ask(reference, find).catch((error: unknown) => {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    });
  }

  /**
   * Fetches manifest and config of an image for a platform.
   * @throws {RegistryError} IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, MANIFEST_INVALID, CONTENT_MISMATCH, REGISTRY_…
   */
  async resolve(reference: Reference, options: ResolveOptions = {}): Promise<ResolvedImage> {
    const { platform = hostPlatform(), signal } = options;
    const found = await this.ask(reference, (session) =>
      findManifest(session, reference, { platform, signal }),
    );
    const { config: descriptor, layers } = found.manifest;
    const configBytes = await this.#readConfig(reference, descriptor, signal);
    const config = parsed(reference, () => parseImageConfig(configBytes, layers.length));
    return {
      reference,
      targetDigest: found.indices[0]?.digest ?? found.document.digest,
      indices: found.indices,
      manifestDocument: found.document,
      manifestDigest: found.document.digest,
      manifest: found.manifest,
      configBytes,
      config,
      isOtherPlatform: choosePlatform(platform, [config.platform]) === undefined,
    };
  }

  /** What fetching a blob takes, for this thread or a Worker; ask shortly before it is used, since tokens expire. */
  async blobRequest(reference: Reference, descriptor: Descriptor): Promise<BlobRequest> {
    const preferred = this.#preferred.get(repositoryKey(reference));
    const [first, ...rest] = [...this.#sessionsOf(reference.registry)].sort(
      (one, other) => Number(other === preferred) - Number(one === preferred),
    );
    const authorization = await first?.authorization(reference.repository);
    if (first === undefined) throw new RangeError("Cannot ask a registry: there is no endpoint");
    const own = { settings: first.settings, authorization };
    const foreign = foreignSources(this.#sessionsOf(reference.registry).at(-1) ?? first, descriptor);
    const sources = [own, ...rest.map(unseeded), ...foreign];
    return { repository: reference.repository, descriptor, sources };
  }

  /** As `openBlob()` of blob.ts, for this thread. */
  async openBlob(
    reference: Reference,
    descriptor: Descriptor,
    signal?: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    return openBlob(await this.blobRequest(reference, descriptor), signal);
  }

  async #readConfig(reference: Reference, descriptor: Descriptor, signal?: AbortSignal): Promise<Uint8Array> {
    if (descriptor.size > DOCUMENT_BYTES_MAX) {
      throw invalid(reference, new RangeError(`Cannot read image config: it has ${descriptor.size} bytes`));
    }
    const { sources, ...request } = await this.blobRequest(reference, descriptor);
    const errors: RegistryError[] = [];
    for (let index = 0; index < sources.length; index++) {
      try {
        // One after the other: the next is asked when what this one has is not the config.
        const stream = await openBlob({ ...request, sources: sources.slice(index) }, signal);
        const bytes = await new Response(stream).bytes();
        checkDigest(bytes, descriptor.digest, "image config");
        return bytes;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== "CONTENT_MISMATCH") throw error;
        errors.push(error);
      }
    }
    throw mostTelling(errors);
  }

  /** Asks the endpoints of a registry one after the other until one succeeds. @throws {RegistryError} */
  async ask<Result>(
    reference: Pick<Reference, "registry" | "repository">,
    ask: (session: Session) => Promise<Result>,
  ): Promise<Result> {
    const errors: RegistryError[] = [];
    for (const session of this.#sessionsOf(reference.registry)) {
      try {
        const result = await ask(session);
        this.#preferred.set(repositoryKey(reference), session);
        return result;
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        errors.push(error);
      }
    }
    throw mostTelling(errors);
  }

  #sessionsOf(registry: string): readonly Session[] {
    const known = this.#sessions.get(registry);
    if (known !== undefined) return known;
    const { registries, certificates } = this.#options;
    const sessions = endpointsOf(registry, registries, certificates?.hosts).map(
      (endpoint) => new Session(accessSettings(endpoint, this.#options), this.#notices),
    );
    this.#sessions.set(registry, sessions);
    return sessions;
  }
}

/** How an endpoint is spoken to by a client with these options. */
export function accessSettings(endpoint: Endpoint, options: RegistryClientOptions): AccessSettings {
  const { credentials = {}, retry, timeouts, certificates = NO_CERTIFICATES } = options;
  return {
    endpoint,
    credentials: Object.hasOwn(credentials, endpoint.name) ? credentials[endpoint.name] : undefined,
    retry: { ...DEFAULT_RETRY, ...retry },
    timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
    trust: trustOf(endpoint, certificates),
  };
}

/** Goes from the reference through indices to the manifest of the platform. */
async function findManifest(
  session: Session,
  reference: Reference,
  options: { readonly platform: Platform; readonly signal: AbortSignal | undefined },
): Promise<FoundManifest> {
  const indices: Document[] = [];
  let expected: Descriptor | undefined;
  for (let depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
    // Each document names the next.
    const document = await fetchManifest(session, reference, { expected, signal: options.signal });
    const manifest = parsed(reference, () => parseManifest(document.bytes, document.mediaType));
    if (expected !== undefined && expected.mediaType !== manifest.mediaType) {
      throw invalid(
        reference,
        new SyntaxError(`Cannot read manifest: ${manifest.mediaType} is not what its index says`),
      );
    }
    if (manifest.kind === "manifest") return { indices, document, manifest };
    indices.push({ ...document, mediaType: manifest.mediaType });
    expected = nextManifest(reference, manifest, options.platform);
  }
  throw invalid(
    reference,
    new RangeError(`Cannot read manifest: more than ${INDEX_DEPTH_MAX} indices, one in another`),
  );
}

function nextManifest(reference: Reference, index: ImageIndex, platform: Platform): Descriptor {
  const { entry, available } = chooseManifest(index, platform);
  if (entry !== undefined) return entry;
  const list = available.length === 0 ? "none" : available.join(", ");
  const wanted = formatPlatform(platform);
  throw new RegistryError(
    `Cannot pull ${describeImage(reference)}: it is not for ${wanted}, but for ${list}`,
    {
      code: "PLATFORM_NOT_FOUND",
      hint: "Choose one of them with --platform.",
    },
  );
}

/**
 * Fetches one document of a repository.
 * @param options `expected`: another than the reference names
 * @throws {RegistryError}
 */
export async function fetchManifest(
  session: Session,
  reference: Reference,
  {
    expected,
    signal,
  }: {
    readonly expected?: (Pick<Descriptor, "digest"> & Partial<Descriptor>) | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Document> {
  // An index may have the manifest inline: then it costs no pull.
  if (expected?.data !== undefined) {
    const { digest, mediaType = "", data } = expected;
    return { digest, mediaType, bytes: data };
  }
  const what = describeImage(reference);
  const request = manifestRequest(reference);
  const exchange = await session.request({
    ...request,
    name: expected?.digest ?? request.name,
    what,
    signal,
  });
  if (exchange.status !== 200) throw await session.errorOf(exchange, what);
  const bytes = await exchange.bytes(DOCUMENT_BYTES_MAX);
  const pin = expected?.digest ?? reference.digest;
  const digest = pin ?? announcedDigest(exchange) ?? digestOfBytes(bytes);
  checkDigest(bytes, digest, "manifest");
  return { digest, mediaType: exchange.header("content-type") ?? "", bytes };
}

function manifestRequest(reference: Reference): Omit<ContentRequest, "what" | "signal"> {
  return {
    repository: reference.repository,
    kind: "manifests",
    name: reference.digest ?? reference.tag ?? DEFAULT_TAG,
    headers: { Accept: ACCEPTED_MANIFESTS },
  };
}

function announcedDigest(exchange: Exchange): Digest | undefined {
  const header = exchange.header("docker-content-digest") ?? "";
  return isDigest(header) ? header : undefined;
}

function checkDigest(bytes: Uint8Array, expected: Digest, what: string): void {
  const found = digestOfBytes(bytes);
  if (found === expected) return;
  throw new RegistryError(`Cannot use ${what} "${expected}": the registry sent "${found}"`, {
    code: "CONTENT_MISMATCH",
  });
}

function parsed<Value>(reference: Reference, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw invalid(reference, error);
  }
}

function invalid(reference: Reference, cause: unknown): RegistryError {
  if (cause instanceof ArtifactError) {
    return new RegistryError(`Cannot pull ${describeImage(reference)}: it is no image that can run`, {
      code: "NOT_AN_IMAGE",
      cause,
      hint: "Copy it with bunker copy",
    });
  }
  return new RegistryError(`Cannot use ${describeImage(reference)}`, { code: "MANIFEST_INVALID", cause });
}

function unseeded({ settings }: Session): BlobSource {
  return { settings };
}

/** The other places of a foreign layer, which get nothing but the request (CVE-2020-15157). */
function foreignSources({ settings }: Session, { urls = [] }: Descriptor): BlobSource[] {
  const registry = new URL(settings.endpoint.baseUrl);
  return urls.flatMap((text) => {
    const url = URL.parse(text);
    if (url === null || !mayFollow(registry, url)) return [];
    url.username = "";
    url.password = "";
    const endpoint = { name: url.host, baseUrl: url.origin };
    return [{ settings: { ...settings, endpoint, credentials: undefined }, url: url.href }];
  });
}

function repositoryKey({ registry, repository }: Pick<Reference, "registry" | "repository">): string {
  return `${registry}/${repository}`;
}

/** The image as messages name it. */
export function describeImage(reference: Reference): string {
  return `image "${formatReference(reference)}"`;
}
