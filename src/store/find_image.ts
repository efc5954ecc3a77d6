/**
 * Finds a local image with one read of one file: the hot path of `run`. A record holds everything that starting
 * a container needs, so neither manifest nor config is parsed. Imports next to nothing: each module more is
 * paid for by every start.
 */
import { readSmallText } from "../linux/small_file.ts";
import type { Digest } from "../oci/digest.ts";
import type { ProcessConfig } from "../oci/image_config.ts";
import type { Platform } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";

/** One image in the store, as its record has it. */
export interface StoredImage {
  /** Full form, e.g. `docker.io/library/alpine:latest`. */
  readonly reference: string;
  /** Digest of the platform's manifest. */
  readonly manifestDigest: Digest;
  readonly manifestMediaType: string;
  /** Digest of what the reference named: the index, or the manifest itself. */
  readonly targetDigest: Digest;
  /** Digest of the config: what `images` prints. */
  readonly imageId: Digest;
  /** Directories, or files as {@link isImagePath} says, relative to the root, bottom first. */
  readonly layers: readonly string[];
  /**
   * How the layers say what they hide: `trusted` and `user` are overlayfs' own forms, the second with the mount option
   * `userxattr`; `files` are the archives' `.wh.` files, to be merged by flattenLayers() since overlay shows them.
   */
  readonly overlayXattrs: "trusted" | "user" | "files";
  readonly config: ProcessConfig;
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  /** RFC 3339, as the image says. */
  readonly created?: string;
  /** RFC 3339: when the record was written. */
  readonly storedAt: string;
  /** Bytes of all unpacked layers. */
  readonly sizeBytes: number;
  /** Set when the tag that it had was given to another image: its digest is all that names it. */
  readonly isUntagged?: true;
}

/** Version of the record's shape; a record of another is not read: pulling again mends it. */
export const RECORD_VERSION = 1;

/** What a layer's path ends in when it is a file, an EROFS image, and no directory. */
export const IMAGE_SUFFIX = ".erofs";

/** True for a layer that is a file. */
export const isImagePath = (path: string): boolean => path.endsWith(IMAGE_SUFFIX);

/**
 * Finds the image of a reference.
 * @param root the data root
 * @param platform only when asked for by the user; otherwise the reference's own record is meant, which is of
 * this machine's platform unless the image exists for another only
 * @returns undefined when the image is not here, or its record is of another version or damaged
 * @throws {SyscallError} for anything but a missing file, e.g. EACCES
 */
export function findImage(root: string, reference: Reference, platform?: Platform): StoredImage | undefined {
  const own = readRecord(`${root}/${recordPath(reference)}`);
  if (platform === undefined || (own !== undefined && isOfPlatform(own, platform))) return own;
  return readRecord(`${root}/${recordPath(reference, platform)}`);
}

/**
 * Path of an image record, relative to the root. Components of a repository cannot begin with ":" or "@", so a tag
 * is never taken for a repository below it.
 */
export function recordPath(reference: Reference, platform?: Platform): string {
  const name = reference.digest === undefined ? `:${reference.tag ?? "latest"}` : `@${reference.digest}`;
  const suffix = platform === undefined ? "" : `!${platformName(platform)}`;
  return `refs/${reference.registry}/${reference.repository}/${name}${suffix}.json`;
}

/** Reads one record; undefined when it is missing, damaged or of another version. */
export function readRecord(path: string): StoredImage | undefined {
  const text = readSmallText(path);
  if (text === undefined) return undefined;
  try {
    const { version, image } = JSON.parse(text) as { version?: unknown; image?: StoredImage };
    return version === RECORD_VERSION ? image : undefined;
  } catch {
    // A power loss may leave a record of zeros: as good as none, and pulling again mends it.
    return undefined;
  }
}

/** The text that {@link readRecord} reads. */
export function formatRecord(image: StoredImage): string {
  return `${JSON.stringify({ version: RECORD_VERSION, image }, null, 2)}\n`;
}

/** True when an image is what `platform` asks for; a variant that one side leaves out is no difference. */
export function isOfPlatform(image: Platform, platform: Platform): boolean {
  const sameVariant =
    image.variant === undefined || platform.variant === undefined || image.variant === platform.variant;
  return image.os === platform.os && image.architecture === platform.architecture && sameVariant;
}

function platformName({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}-${architecture}` : `${os}-${architecture}-${variant}`;
}
