/** The manifests and indices of a copy: reads them from the source, chooses among them, and finds all that an index names. */
import type { Descriptor, ManifestDescriptor } from "../../oci/descriptor.ts";
import { type Digest, digestOfBytes } from "../../oci/digest.ts";
import { findForPlatform, INDEX_DEPTH_MAX } from "../../oci/find_platform.ts";
import { parseImageConfig } from "../../oci/image_config.ts";
import { DOCUMENT_BYTES_MAX } from "../../oci/json.ts";
import { type ImageIndex, type ImageManifest, parseDocument } from "../../oci/manifest.ts";
import { isImageConfig, manifestKind } from "../../oci/media_type.ts";
import { choosePlatform, formatPlatform, type Platform } from "../../oci/platform.ts";
import type { Document } from "../../registry/find_manifest.ts";
import { RegistryError } from "../../registry/registry_error.ts";
import { CopyError } from "./copy_error.ts";
import type { CopySource } from "./place.ts";

/** A document with what it says. */
export interface Piece<Content = ImageManifest | ImageIndex> {
  readonly document: Document;
  readonly content: Content;
  /** As the index has it that names it. */
  readonly platform?: Platform | undefined;
}

/** Which platform is wanted. */
export interface PlatformChoice {
  readonly platform: Platform;
  /** Somebody asked for it: an image without an index is looked at too. */
  readonly isAsked: boolean;
}

/** What an index names, through indices in it. */
export interface IndexContent {
  /** Innermost first, without the index itself. */
  readonly indices: readonly Piece<ImageIndex>[];
  /** Each once. */
  readonly manifests: readonly ManifestDescriptor[];
}

/** Most manifests below one index, and indices: what is copied whole. */
const MANIFEST_COUNT_MAX = 5000;
const WHOLE_INDEX_COUNT_MAX = 100;

/** @throws {CopyError} when it is neither, or ambiguous */
export function pieceOf(source: CopySource, document: Document, platform?: Platform): Piece {
  try {
    const content = parseDocument(document.bytes, document.mediaType);
    return { document: { ...document, mediaType: content.mediaType }, content, platform };
  } catch (cause) {
    throw new CopyError(`Cannot copy image "${source.name}"`, { cause });
  }
}

/** Reads what a descriptor names. @throws {CopyError} when it is not there, or is something else than it says */
export async function readPiece(
  source: CopySource,
  descriptor: ManifestDescriptor | Descriptor,
): Promise<Piece> {
  const { digest, mediaType, size } = descriptor;
  if (manifestKind(mediaType) === undefined) {
    throw new CopyError(`Cannot copy image "${source.name}": its index names content of type "${mediaType}"`);
  }
  const document = await source.readDocument(descriptor);
  if (document === undefined) {
    throw new CopyError(`Cannot copy image "${source.name}": its index names ${digest}, which is not there`, {
      hint: "Copy what is there of it, one platform at a time: --platform",
    });
  }
  const piece = pieceOf(source, document, "platform" in descriptor ? descriptor.platform : undefined);
  if (piece.content.mediaType === mediaType && document.bytes.length === size) return piece;
  throw new CopyError(`Cannot copy image "${source.name}": ${digest} is not what its index says`);
}

/** Goes from a document through indices to the manifest for a platform. @throws {CopyError} {RegistryError} */
export async function chooseFrom(source: CopySource, top: Piece, choice: PlatformChoice): Promise<Piece> {
  const { platform, isAsked } = choice;
  if (top.content.kind === "manifest" && isAsked) await checkPlatform(source, top.content, platform);
  const { found, available } = await findForPlatform<Piece>({
    top,
    platform,
    read: (entry) => readPiece(source, entry),
    tooMany: (what) => tooMany(source, what),
  });
  if (found !== undefined) return found;
  throw otherPlatform(source, platform, available);
}

/** Everything below an index. @throws {CopyError} when there is no end to it */
export async function contentOf(source: CopySource, top: ImageIndex): Promise<IndexContent> {
  const indices = new Map<Digest, Piece<ImageIndex>>();
  const manifests = new Map<Digest, ManifestDescriptor>();
  const walk = async (index: ImageIndex, depth: number): Promise<void> => {
    if (depth === INDEX_DEPTH_MAX) throw tooMany(source, `${INDEX_DEPTH_MAX} indices, one in another`);
    for (const entry of index.entries) {
      if (manifestKind(entry.mediaType) !== "index") {
        manifests.set(entry.digest, entry);
      } else if (!indices.has(entry.digest)) {
        // Each may name others, which go before it.
        const piece = await readPiece(source, entry);
        if (piece.content.kind !== "index") continue;
        await walk(piece.content, depth + 1);
        indices.set(entry.digest, { ...piece, content: piece.content });
      }
      if (manifests.size > MANIFEST_COUNT_MAX || indices.size > WHOLE_INDEX_COUNT_MAX)
        throw tooMany(source, `${MANIFEST_COUNT_MAX} manifests or ${WHOLE_INDEX_COUNT_MAX} indices`);
    }
  };
  await walk(top, 0);
  return { indices: [...indices.values()], manifests: [...manifests.values()] };
}

/** An image without an index says in its configuration alone what it is for; an artifact is for none. */
async function checkPlatform(
  source: CopySource,
  { config, layers }: ImageManifest,
  wanted: Platform,
): Promise<void> {
  if (!isImageConfig(config.mediaType) || config.size > DOCUMENT_BYTES_MAX) return;
  const stream = await source.open(config, 0, new AbortController().signal);
  const bytes = await new Response(stream).bytes();
  if (digestOfBytes(bytes) !== config.digest)
    throw new CopyError(`Cannot copy image "${source.name}": its configuration is damaged`);
  const { platform } = parseImageConfig(bytes, layers.length);
  if (choosePlatform(wanted, [platform]) === undefined)
    throw otherPlatform(source, wanted, [formatPlatform(platform)]);
}

function otherPlatform({ name }: CopySource, wanted: Platform, available: readonly string[]): RegistryError {
  const list = available.length === 0 ? "none" : available.join(", ");
  return new RegistryError(
    `Cannot copy image "${name}": it is not for ${formatPlatform(wanted)}, but for ${list}`,
    { code: "PLATFORM_NOT_FOUND", hint: "Choose one of them with --platform, or copy all with --all" },
  );
}

const tooMany = ({ name }: CopySource, what: string): CopyError =>
  new CopyError(`Cannot copy image "${name}": more than ${what}`);
