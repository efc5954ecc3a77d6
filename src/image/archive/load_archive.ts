/** Loads the images of an archive into the store: each is there whole under all its names, or not at all. */
import { mkdirSync } from "node:fs";
import { BunkerError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Platform } from "../../oci/platform.ts";
import type { Reference } from "../../oci/reference.ts";
import { formatReference } from "../../oci/reference.ts";
import { recordPath, type StoredImage } from "../../store/find_image.ts";
import { type ImageRecord, listRecords, lockImages, moveNames } from "../../store/images.ts";
import { openStore } from "../../store/open_store.ts";
import { removeAbandoned, Staging } from "../../store/staging.ts";
import { UNNAMED } from "../new_image.ts";
import type { StoreOptions } from "../store_image.ts";
import { recordPlatform, storeImage } from "../store_image.ts";
import { findImages, type LoadableImage } from "./archive_images.ts";
import { archiveError, readArchive } from "./read_archive.ts";

/** Where to, and as whom. */
export interface LoadOptions extends Pick<StoreOptions, "root" | "rootless" | "layers" | "holdUsers"> {
  readonly signal: AbortSignal;
  /** Only images for this one; undefined: all, and of an index this machine's. */
  readonly platform?: Platform | undefined;
}

/**
 * Loads an archive, which comes in chunks.
 * @returns the images as they were stored, once for each name, in the order of their records
 * @throws {ArchiveError} {TarError} {CompressionError} and what a pull throws for a layer
 */
export async function loadArchive(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: LoadOptions,
): Promise<StoredImage[]> {
  const { root, signal } = options;
  openStore(root);
  await removeAbandoned(root);
  using staging = Staging.create(root);
  const directory = `${staging.path}/archive`;
  mkdirSync(directory, { mode: 0o700 });
  const files = await readArchive(chunks, directory, signal);
  const paths = new Map(files.all.map(({ digest, path }) => [digest, path] as const));
  // All are looked at before the first is stored.
  const images = await findImages(files, options.platform);
  const loaded = new Map<string, StoredImage>();
  for (const image of images) {
    const { platform } = image.resolved.config;
    // Beside one for this machine, one of another platform is no image of that name alone.
    const isOther = options.platform !== undefined || sharesName(image, images);
    const records = await load(image, paths, { ...options, platform: isOther ? platform : undefined });
    for (const record of records) loaded.set(record.path, record.image);
  }
  return [...loaded].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, image]) => image);
}

function sharesName(image: LoadableImage, all: readonly LoadableImage[]): boolean {
  const names = new Set(image.names.map(formatReference));
  return all.some((other) => other !== image && other.names.some((name) => names.has(formatReference(name))));
}

async function load(
  { names, resolved }: LoadableImage,
  files: ReadonlyMap<Digest, string>,
  { root, rootless, layers, signal, platform, holdUsers }: LoadOptions,
): Promise<ImageRecord[]> {
  const [first = { ...UNNAMED, digest: resolved.manifestDigest }, ...others] = names;
  const ownPlatform = recordPlatform(platform);
  try {
    const origin = { client: { blobRequest: missing }, files, signal };
    const { image } = await storeImage(
      { ...resolved, reference: first },
      { reference: first, root, rootless, layers, platform, holdUsers },
      origin,
    );
    const named = await nameToo(root, image, { names: others, platform: ownPlatform });
    return [{ image, path: recordPath(first, ownPlatform) }, ...named];
  } catch (cause) {
    if (signal.aborted || !(cause instanceof BunkerError)) throw cause;
    throw archiveError(`the image "${formatReference(first)}" cannot be stored`, cause);
  }
}

/** @returns the records that it wrote */
async function nameToo(
  root: string,
  image: StoredImage,
  { names, platform }: { readonly names: readonly Reference[]; readonly platform: Platform | undefined },
): Promise<ImageRecord[]> {
  if (names.length === 0) return [];
  using _ = await lockImages(root);
  // Somebody may have removed it between the two steps: a name for nothing is none.
  if (!listRecords(root).some((record) => record.image.imageId === image.imageId)) return [];
  const written = names.map(
    (name): ImageRecord => ({
      image: { ...image, reference: formatReference(name) },
      path: recordPath(name, platform),
    }),
  );
  moveNames(root, { written, removed: [] });
  return written;
}

function missing(): never {
  throw new Error("Cannot happen: a layer of an archive was looked for before");
}
