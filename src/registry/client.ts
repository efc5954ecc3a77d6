/**
 * Images of one or many registries, as far as HTTP goes: what a name means for a platform, and where its blobs are.
 * Mirrors are asked first. Every document is checked against its digest before it is read; nothing touches a disk.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { type ImageConfig, parseImageConfig } from "../oci/image_config.ts";
import { DOCUMENT_BYTES_MAX } from "../oci/json.ts";
import type { ImageManifest } from "../oci/manifest.ts";
import { bareMediaType } from "../oci/media_type.ts";
import { choosePlatform, hostPlatform, type Platform } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import { mayFollow } from "./address.ts";
import { type BlobRequest, type BlobSource, openBlob } from "./blob.ts";
import type { CredentialStore } from "./credentials.ts";
import { type Endpoint, endpointsOf } from "./endpoint.ts";
import { DEFAULT_TIMEOUTS, type Timeouts } from "./exchange.ts";
import {
  checkDigest,
  type Document,
  describeImage,
  findManifest,
  invalid,
  type KnownContent,
  knownBytes,
  manifestRequest,
  parsed,
} from "./find_manifest.ts";
import { Notices, type Quota } from "./notices.ts";
import type { RegistriesConfig } from "./registries_config.ts";
import { mostTelling, RegistryError } from "./registry_error.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import { Session } from "./session.ts";
import { TimeLimit } from "./time_limit.ts";
import type { AccessSettings } from "./token.ts";
import { registerOwner, type TokenOwner, type TokenQuestion } from "./token_relay.ts";
import { type CertificateStore, trustOf } from "./trust.ts";

/** What a client is told once: where registries are, who asks, how patiently. */
export interface RegistryClientOptions {
  readonly registries?: RegistriesConfig;
  readonly credentials?: CredentialStore;
  readonly retry?: Partial<RetryPolicy>;
  readonly timeouts?: Partial<Timeouts>;
  /** [none but what Bun knows] */
  readonly certificates?: CertificateStore;
  /** Reads the system's authorities where they are not in `certificates` and turn out to be needed. */
  readonly findAuthorities?: () => Promise<CertificateStore["system"]>;
  /** Hears what registries want the user to know, a line each, once. */
  readonly onWarning?: ((text: string) => void) | undefined;
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
  /** Documents and configs that are here already: what is known is not asked for. */
  readonly known?: KnownContent;
  /** What the reference names, as {@link RegistryClient.findTarget} has just said. */
  readonly target?: Target | undefined;
  readonly signal?: AbortSignal | undefined;
}

const NO_CERTIFICATES: CertificateStore = { hosts: {}, system: [] };
/** Statuses of HEAD that end the matter; others may mean that HEAD is not supported. */
const TELLING_STATUSES: readonly number[] = [401, 403, 404, 429];

/** Asks registries for images; keeps tokens for as long as it lives. */
export class RegistryClient implements TokenOwner {
  readonly #options: RegistryClientOptions;
  readonly #notices: Notices;
  /** By which other threads know it. */
  #name: string | undefined;
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
    const { platform = hostPlatform(), signal, known, target } = options;
    const found = await this.ask(reference, (session) =>
      findManifest(session, reference, { platform, known, target: target?.digest, signal }),
    );
    const { config: descriptor, layers } = found.manifest;
    const configBytes =
      knownBytes(known, descriptor.digest) ?? (await this.#readConfig(reference, descriptor, signal));
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
    const own = { settings: this.#owned(first), authorization };
    const foreign = foreignSources(this.#sessionsOf(reference.registry).at(-1) ?? first, descriptor);
    const others = rest.map((session): BlobSource => ({ settings: this.#owned(session) }));
    const sources = [own, ...others, ...foreign];
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
    const { wholeMs } = { ...DEFAULT_TIMEOUTS, ...this.#options.timeouts };
    const errors: RegistryError[] = [];
    for (let index = 0; index < sources.length; index++) {
      try {
        const reading = new AbortController();
        using _ = new TimeLimit(reading, { what: `blob "${descriptor.digest}"`, limitMs: wholeMs });
        const either = signal === undefined ? reading.signal : AbortSignal.any([signal, reading.signal]);
        // One after the other: the next is asked when what this one has is not the config.
        const stream = await openBlob({ ...request, sources: sources.slice(index) }, either);
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

  /** Settings for somebody else, perhaps in another thread, who asks this client when a token is refused. */
  #owned({ settings }: Session): AccessSettings {
    this.#name ??= registerOwner(this);
    return { ...settings, owner: this.#name };
  }

  /** Renews a token for the one who was refused: see token_relay.ts. */
  async renew(question: TokenQuestion): Promise<string | undefined> {
    const sessions = [...this.#sessions.values()].flat();
    return sessions.find(({ endpoint }) => endpoint.baseUrl === question.endpoint)?.renew(question);
  }

  #sessionsOf(registry: string): readonly Session[] {
    const known = this.#sessions.get(registry);
    if (known !== undefined) return known;
    const { registries, certificates } = this.#options;
    const sessions = endpointsOf(registry, registries, certificates?.hosts).map(
      (endpoint) =>
        new Session(accessSettings(endpoint, this.#options), {
          notices: this.#notices,
          findAuthorities: this.#options.findAuthorities,
        }),
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
