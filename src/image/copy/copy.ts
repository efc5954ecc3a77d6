/**
 * Copies an image from one place to another, byte by byte: what a name means, or the manifest in it for one platform, with
 * all that it names. Blobs go before the manifest that names them, manifests before their index, what refers to them next, and
 * the name comes last: a copy that is broken off leaves content that nobody has a name for.
 */
import type { ManifestDescriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageIndex } from "../../oci/manifest.ts";
import { manifestKind } from "../../oci/media_type.ts";
import { referrersTag } from "../../oci/referrer.ts";
import { inParallel } from "../in_parallel.ts";
import type { PushProgress } from "../push_progress.ts";
import { BlobCopies, type BlobRoute } from "./blob_copies.ts";
import { chooseFrom, contentOf, type Piece, type PlatformChoice, pieceOf, readPiece } from "./documents.ts";
import type { CopySource, CopyTarget, Role } from "./place.ts";

/** What is copied. */
export interface CopyOptions {
  readonly source: CopySource;
  readonly target: CopyTarget;
  /** One manifest; undefined: an index with everything beneath it. */
  readonly choice: PlatformChoice | undefined;
  /** What refers to the image too; of these types only, when there are any. Undefined: no. */
  readonly referrers?: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: PushProgress) => void) | undefined;
}

/** What the target's name means from now on. */
export type CopiedImage =
  | { readonly status: "copied"; readonly digest: Digest; readonly sizeBytes: number }
  /** It has meant it before. */
  | { readonly status: "unchanged"; readonly digest: Digest };

/** Manifests that are on their way at one time. */
const MANIFESTS_AT_ONCE = 3;
/** What cosign calls the manifests that it keeps beside an image: signature, attestations, list of parts. */
const COSIGN_SUFFIXES: readonly string[] = [".sig", ".att", ".sbom"];
/** Signatures of signatures end somewhere. */
const REFERRER_DEPTH_MAX = 4;

interface Copying extends BlobRoute {
  readonly blobs: BlobCopies;
  readonly artifactTypes: readonly (string | undefined)[] | undefined;
  /** What has been asked for what refers to it. */
  readonly asked: Set<Digest>;
}

/**
 * Copies an image.
 * @throws {RegistryError} {CopyError}, and what the places throw; the target's name means then what it meant before
 * @throws the signal's reason when it is aborted
 */
export async function copyImage(options: CopyOptions): Promise<CopiedImage> {
  const { source, target, choice, referrers, signal } = options;
  const [known, present] = await Promise.all([source.findTop(), target.findTop()]);
  const isWanted =
    known !== undefined && (choice === undefined || manifestKind(known.mediaType) === "manifest");
  if (isWanted && known.digest === present && referrers === undefined)
    return { status: "unchanged", digest: known.digest };
  const copying = begin(options);
  const top = pieceOf(source, await source.readTop());
  signal.throwIfAborted();
  const chosen = choice === undefined ? top : await chooseFrom(source, top, choice);
  const { digest, bytes } = chosen.document;
  const isPresent = present === digest;
  if (!isPresent && !(await target.hasDocument(digest))) await copyParts(chosen, copying);
  if (referrers !== undefined) await copyAllReferrers(chosen, copying);
  signal.throwIfAborted();
  if (!isPresent) await target.putDocument(chosen.document, { kind: "top", platform: chosen.platform });
  await target.finish();
  return isPresent ? { status: "unchanged", digest } : { status: "copied", digest, sizeBytes: bytes.length };
}

function begin({ source, target, referrers, signal, onProgress = () => undefined }: CopyOptions): Copying {
  const route: BlobRoute = { source, target, signal, onProgress };
  const artifactTypes = referrers?.length === 0 ? [undefined] : referrers;
  return { ...route, blobs: new BlobCopies(route), artifactTypes, asked: new Set() };
}

/** Brings all that a document names, but not the document. */
async function copyParts({ content }: Piece, copying: Copying): Promise<void> {
  if (content.kind === "manifest") return copying.blobs.copyAll(content);
  const { indices, manifests } = await contentOf(copying.source, content);
  await forEach(manifests, copying, (entry) => copyEntry(entry, copying));
  // The innermost first.
  for (const { document } of indices) await copying.target.putDocument(document, { kind: "part" });
}

async function copyEntry(entry: ManifestDescriptor, copying: Copying): Promise<void> {
  if (await copying.target.hasDocument(entry.digest)) return;
  await copyWhole(await readPiece(copying.source, entry), { kind: "part" }, copying);
}

async function copyWhole(piece: Piece, role: Role, copying: Copying): Promise<void> {
  await copyParts(piece, copying);
  copying.signal.throwIfAborted();
  await copying.target.putDocument(piece.document, role);
}

/** What refers to a document, and to the manifests of an index. */
async function copyAllReferrers({ document, content }: Piece, copying: Copying): Promise<void> {
  const below = content.kind === "index" ? await digestsBelow(content, copying.source) : [];
  await forEach([document.digest, ...below], copying, (digest) => copyReferrers(digest, copying, 0));
}

async function digestsBelow(index: ImageIndex, source: CopySource): Promise<Digest[]> {
  const { indices, manifests } = await contentOf(source, index);
  return [...indices.map(({ document }) => document.digest), ...manifests.map(({ digest }) => digest)];
}

async function copyReferrers(subject: Digest, copying: Copying, depth: number): Promise<void> {
  const { source, target, artifactTypes = [], asked } = copying;
  if (asked.has(subject) || depth >= REFERRER_DEPTH_MAX) return;
  asked.add(subject);
  // By their tags nobody can tell of which type they are.
  if (artifactTypes.includes(undefined) && depth === 0) await copyTagged(subject, copying);
  const lists = await Promise.all(artifactTypes.map((type) => source.listReferrers(subject, type)));
  const found = lists.flat();
  if (found.length === 0) return;
  const listed = await target.findReferrers(subject);
  for (const referrer of found) {
    // One after the other: each may change the list that the next one reads.
    await copyReferrers(referrer.digest, copying, depth + 1);
    const isThere = listed.has(referrer.digest) && (await target.hasDocument(referrer.digest));
    if (!isThere) await copyWhole(await readPiece(source, referrer), { kind: "referrer" }, copying);
  }
}

/** What refers to a manifest by its tag alone. */
async function copyTagged(subject: Digest, copying: Copying): Promise<void> {
  const { source, target } = copying;
  for (const tag of COSIGN_SUFFIXES.map((suffix) => referrersTag(subject) + suffix)) {
    const document = await source.findTag(tag);
    if (document === undefined || (await target.findTag(tag)) === document.digest) continue;
    await copyWhole(pieceOf(source, document), { kind: "tagged", tag }, copying);
  }
}

async function forEach<Item>(
  items: readonly Item[],
  { signal }: Copying,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  await inParallel(items, { count: MANIFESTS_AT_ONCE, signal }, work);
}
