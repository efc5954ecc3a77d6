/**
 * What refers to an image: signatures, lists of its parts, attestations (distribution-spec, spec.md#listing-referrers). A
 * registry that knows nothing of it answers 404; then clients keep the list themselves, as an index under the tag
 * `sha256-HEX`, and whoever pushes a manifest with a subject adds it there (spec.md#referrers-tag-schema).
 */
import type { Digest } from "../oci/digest.ts";
import { DOCUMENT_BYTES_MAX } from "../oci/json.ts";
import { parseDocument } from "../oci/manifest.ts";
import { OCI_INDEX } from "../oci/media_type.ts";
import type { Reference } from "../oci/reference.ts";
import { parseReferrers, type Referrer, referrersTag, withReferrer } from "../oci/referrer.ts";
import type { RegistryClient } from "./client.ts";
import { type Document, fetchManifest } from "./find_manifest.ts";
import { pagesOf } from "./paging.ts";
import { RegistryError } from "./registry_error.ts";
import { delay } from "./retry.ts";
import type { Session } from "./session.ts";
import type { RepositoryWriter } from "./writer.ts";

/** What registries answer that know nothing of such lists: a path that they do not know looks like a wrong name to some. */
const UNKNOWN_STATUSES: readonly number[] = [400, 404, 405, 406];

/** Most manifests that refer to one. */
const REFERRER_COUNT_MAX = 10_000;

/** How often a list is written for one manifest, and the longest wait before it is looked at again. */
const LIST_WRITES_MAX = 5;
const LIST_PAUSE_MS_MAX = 2000;

/** What is asked for. */
export interface ReferrersRequest {
  readonly place: Pick<Reference, "registry" | "repository">;
  readonly subject: Digest;
  /** Only these [all]. */
  readonly artifactType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lists what refers to a manifest, each once; empty when nothing does.
 * @throws {RegistryError}
 */
export async function listReferrers(client: RegistryClient, request: ReferrersRequest): Promise<Referrer[]> {
  const { place, artifactType } = request;
  const found = await client.ask(place, (session) => askBoth(session, request)).catch(noneWhenUnknown);
  // A registry need not filter; one that has says so in OCI-Filters-Applied, and to filter once more changes nothing.
  const wanted = found.filter((each) => artifactType === undefined || each.artifactType === artifactType);
  return [...new Map(wanted.map((each) => [each.digest, each])).values()];
}

const askBoth = async (session: Session, request: ReferrersRequest): Promise<readonly Referrer[]> =>
  (await askList(session, request)) ?? (await askTag(session, request));

/** A mirror that knows of none is no last word: only when all have said so, there is none. */
function noneWhenUnknown(error: unknown): readonly Referrer[] {
  if (error instanceof RegistryError && error.status === 404) return [];
  throw error;
}

/** @returns undefined when the registry keeps no such list */
async function askList(
  session: Session,
  { place: { repository }, subject, artifactType, signal }: ReferrersRequest,
): Promise<Referrer[] | undefined> {
  const what = `list of what refers to "${subject}"`;
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const list = {
    repository,
    path: `referrers/${subject}${query}`,
    headers: { Accept: OCI_INDEX },
    what,
    signal,
  };
  const found: Referrer[] = [];
  for await (const page of pagesOf(session, list)) {
    if (UNKNOWN_STATUSES.includes(page.status)) {
      await page.discard();
      return undefined;
    }
    if (page.status !== 200) throw await session.errorOf(page, what);
    found.push(...read(what, await page.bytes(DOCUMENT_BYTES_MAX)));
    if (found.length > REFERRER_COUNT_MAX)
      throw invalid(what, new RangeError(`Cannot read referrers: there are more than ${REFERRER_COUNT_MAX}`));
  }
  return found;
}

/** @throws {RegistryError} with status 404 when there is none */
async function askTag(
  session: Session,
  { place, subject, signal }: ReferrersRequest,
): Promise<readonly Referrer[]> {
  const { bytes } = await fetchManifest(session, { ...place, tag: referrersTag(subject) }, { signal });
  return read(`list of what refers to "${subject}"`, bytes);
}

/**
 * Puts a manifest, and where it has a subject that the registry does not ask for, adds it to the list of that subject.
 * @param name as RepositoryWriter.pushManifest()
 * @throws {RegistryError}
 */
export async function putManifest(
  writer: RepositoryWriter,
  document: Document,
  name?: string,
): Promise<void> {
  const { knowsSubject } = await writer.pushManifest(document, name);
  const { subject } = parseDocument(document.bytes, document.mediaType);
  if (subject !== undefined && !knowsSubject) await addToList(writer, document, subject.digest);
}

/**
 * Adds a manifest to the list of what refers to its subject. The registry has no lock for it: another one who has read the
 * list before may write it afterwards, and what was added is gone. So it is read again after as long a time as another's
 * reading and writing may take, and written again with what is there by then.
 */
async function addToList(writer: RepositoryWriter, document: Document, subject: Digest): Promise<void> {
  const tag = referrersTag(subject);
  for (let attempts = 0; ; attempts += 1) {
    const beginMs = performance.now();
    const list = withReferrer((await writer.findDocument(tag))?.bytes, document);
    if (list === undefined) return;
    if (attempts === LIST_WRITES_MAX) throw overwritten(document.digest, subject);
    await writer.pushManifest(list, tag);
    // A random share of it, so that two who meet do not meet again.
    const pauseMs = (performance.now() - beginMs) * (1 + Math.random());
    await delay(Math.min(pauseMs, LIST_PAUSE_MS_MAX), writer.signal);
  }
}

function overwritten(digest: Digest, subject: Digest): RegistryError {
  return new RegistryError(
    `Cannot add "${digest}" to the list of what refers to "${subject}": others write it at the same time`,
    { code: "REGISTRY_FAILED", hint: "Try again when they have ended; the manifest itself is in place" },
  );
}

function read(what: string, bytes: Uint8Array): readonly Referrer[] {
  try {
    return parseReferrers(bytes);
  } catch (cause) {
    throw invalid(what, cause);
  }
}

function invalid(what: string, cause: unknown): RegistryError {
  return new RegistryError(`Cannot use the ${what}`, { code: "MANIFEST_INVALID", cause });
}
