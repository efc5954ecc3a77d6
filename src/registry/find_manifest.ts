/**
 * From a reference through indices to the manifest of a platform. Each document names the next, and is checked against its
 * digest before it is read.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOfBytes, isDigest } from "../oci/digest.ts";
import { findForPlatform } from "../oci/find_platform.ts";
import { DOCUMENT_BYTES_MAX } from "../oci/json.ts";
import { ArtifactError, type ImageIndex, type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { ACCEPTED_MANIFESTS } from "../oci/media_type.ts";
import { formatPlatform, type Platform } from "../oci/platform.ts";
import { DEFAULT_TAG, formatReference, type Reference } from "../oci/reference.ts";
import type { Exchange } from "./exchange.ts";
import { readWhole } from "./follow.ts";
import { RegistryError } from "./registry_error.ts";
import type { ContentRequest, Session } from "./session.ts";

/** A document as it was served; its digest has been checked. */
export interface Document {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The manifest of an image, and how it was come to. */
export interface FoundManifest {
  readonly indices: readonly Document[];
  readonly document: Document;
  readonly manifest: ImageManifest;
}

/** Content by digest, from wherever it is kept; undefined for what is not there. */
export type KnownContent = (digest: Digest) => Uint8Array | undefined;

/** What is looked for, and what is known. */
export interface FindOptions {
  readonly platform: Platform;
  readonly known?: KnownContent | undefined;
  /** What the reference names, when that is certain. */
  readonly target?: Digest | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Goes from the reference through indices to the manifest of the platform.
 * @throws {RegistryError} PLATFORM_NOT_FOUND when it is in none of them
 */
export async function findManifest(
  session: Session,
  reference: Reference,
  options: FindOptions,
): Promise<FoundManifest> {
  const search = { session, reference, options };
  const { found, indices, available } = await findForPlatform({
    top: await readManifest(search, undefined),
    platform: options.platform,
    read: (entry) => readManifest(search, entry),
    tooMany: (what) => invalid(reference, new RangeError(`Cannot read manifest: more than ${what}`)),
  });
  if (found?.content.kind !== "manifest") throw noneFor(search, available);
  const documents = indices.map(({ document, content }) => ({ ...document, mediaType: content.mediaType }));
  return { indices: documents, document: found.document, manifest: found.content };
}

interface Search {
  readonly session: Session;
  readonly reference: Reference;
  readonly options: FindOptions;
}

async function readManifest(
  { session, reference, options: { known, target, signal } }: Search,
  expected: Descriptor | undefined,
): Promise<{ readonly document: Document; readonly content: ImageManifest | ImageIndex }> {
  const digest = expected?.digest ?? reference.digest ?? target;
  const here = digest === undefined ? undefined : knownDocument(known, digest, expected);
  const document = here ?? (await fetchManifest(session, reference, { expected, signal }));
  const content = parsed(reference, () => parseManifest(document.bytes, document.mediaType));
  if (expected === undefined) return { document, content };
  const isOtherType = expected.mediaType !== content.mediaType;
  const size = document.bytes.length;
  if (!isOtherType && expected.size === size) return { document, content };
  const state = isOtherType ? `${content.mediaType} is` : `its ${size} bytes are`;
  throw invalid(reference, new SyntaxError(`Cannot read manifest: ${state} not what its index says`));
}

/** The bytes of some content that is known, when they are what its digest says. */
export function knownBytes(known: KnownContent | undefined, digest: Digest): Uint8Array | undefined {
  const bytes = known?.(digest);
  return bytes !== undefined && digestOfBytes(bytes) === digest ? bytes : undefined;
}

function knownDocument(
  known: KnownContent | undefined,
  digest: Digest,
  expected: Descriptor | undefined,
): Document | undefined {
  const bytes = knownBytes(known, digest);
  return bytes === undefined ? undefined : { digest, mediaType: expected?.mediaType ?? "", bytes };
}

function noneFor({ reference, options }: Search, available: readonly string[]): RegistryError {
  const list = available.length === 0 ? "none" : available.join(", ");
  const wanted = formatPlatform(options.platform);
  return new RegistryError(
    `Cannot pull ${describeImage(reference)}: it is not for ${wanted}, but for ${list}`,
    {
      code: "PLATFORM_NOT_FOUND",
      hint: "Choose one of them with --platform",
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
  const name = expected?.digest ?? request.name;
  const { exchange, bytes } = await readWhole({
    send: () => session.request({ ...request, name, what, signal }),
    bytesMax: DOCUMENT_BYTES_MAX,
    retry: session.settings.retry,
    signal,
  });
  if (bytes === undefined) throw await session.errorOf(exchange, what);
  const pin = expected?.digest ?? reference.digest;
  const digest = pin ?? announcedDigest(exchange) ?? digestOfBytes(bytes);
  checkDigest(bytes, digest, "manifest");
  return { digest, mediaType: exchange.header("content-type") ?? "", bytes };
}

/** What asking for a manifest takes. */
export function manifestRequest(reference: Reference): Omit<ContentRequest, "what" | "signal"> {
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

/** @throws {RegistryError} CONTENT_MISMATCH unless bytes are what their digest says */
export function checkDigest(bytes: Uint8Array, expected: Digest, what: string): void {
  const found = digestOfBytes(bytes);
  if (found === expected) return;
  throw new RegistryError(`Cannot use ${what} "${expected}": the registry sent "${found}"`, {
    code: "CONTENT_MISMATCH",
  });
}

/** What `parse` returns. @throws {RegistryError} MANIFEST_INVALID with what it threw as cause */
export function parsed<Value>(reference: Reference, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw invalid(reference, error);
  }
}

/** The error of a document that is none of an image. */
export function invalid(reference: Reference, cause: unknown): RegistryError {
  if (cause instanceof ArtifactError) {
    return new RegistryError(`Cannot pull ${describeImage(reference)}: it is no image that can run`, {
      code: "NOT_AN_IMAGE",
      cause,
      hint: "Copy it with bunker copy",
    });
  }
  return new RegistryError(`Cannot use ${describeImage(reference)}`, { code: "MANIFEST_INVALID", cause });
}

/** The image as messages name it. */
export function describeImage(reference: Reference): string {
  return `image "${formatReference(reference)}"`;
}
