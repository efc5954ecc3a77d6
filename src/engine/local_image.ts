/** Finds images by what a person writes: a name, a name with a digest, an id or the beginning of one. */
import { BunkerError } from "../errors.ts";
import { isImageId, parseReference, type Reference } from "../oci/reference.ts";
import { recordPath, type StoredImage } from "../store/find_image.ts";
import { findImageById, type ImageRecord, listRecords } from "../store/images.ts";

/** There is no such image in the store. */
export class NoSuchImageError extends BunkerError {
  readonly code = "IMAGE_NOT_FOUND";

  constructor(name: string) {
    super(`Cannot find image "${name}": it is not here`, {
      hint: "See what is here with bunker images",
    });
  }
}

/** What a word means. */
export interface LocalImage {
  /** At least one: the own record first, then those of other platforms; for an id every name that it has. */
  readonly records: readonly [ImageRecord, ...ImageRecord[]];
  /** The name that was meant; undefined when the word was an id. */
  readonly reference: Reference | undefined;
}

/**
 * Finds a local image. A name wins over an id.
 * @throws {NoSuchImageError} {StoreError} for the beginning of several ids {SyntaxError}
 */
export function findLocalImage(root: string, word: string): LocalImage {
  const all = listRecords(root);
  const reference = referenceOf(word);
  const [named, ...others] = reference === undefined ? [] : recordsNamed(all, reference);
  if (named !== undefined) return { records: [named, ...others], reference };
  const id = findImageById(root, word)?.imageId;
  const [first, ...rest] = all.filter(({ image }) => image.imageId === id);
  if (first === undefined) throw new NoSuchImageError(word);
  return { records: [first, ...rest], reference: undefined };
}

/** The image alone; the own platform's, where there are several. @throws as {@link findLocalImage} */
export function getLocalImage(root: string, word: string): StoredImage {
  return findLocalImage(root, word).records[0].image;
}

/** An id with or without its prefix is no name that anybody could have given. */
function referenceOf(word: string): Reference | undefined {
  return isImageId(word) ? undefined : parseReference(word);
}

function recordsNamed(all: readonly ImageRecord[], reference: Reference): ImageRecord[] {
  const base = recordPath(reference).slice(0, -".json".length);
  const named = all.filter(({ path }) => path === `${base}.json` || path.startsWith(`${base}!`));
  if (named.length > 0 || reference.digest === undefined) return named.sort(byLength);
  // Pulled by its tag: the digest is what the tag meant then.
  return all.filter(({ image }) => isPinned(image, reference));
}

function isPinned(image: StoredImage, { registry, repository, digest }: Reference): boolean {
  const own = parseReference(image.reference);
  const isSame = own.registry === registry && own.repository === repository;
  return isSame && (image.targetDigest === digest || image.manifestDigest === digest);
}

/** The own record has no platform behind its name. */
const byLength = (one: ImageRecord, other: ImageRecord): number => one.path.length - other.path.length;
