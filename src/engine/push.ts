/** `push`: an image of the store to the registry that its name says. */
import { type PushedImage, type PushOptions, pushImage } from "../image/push.ts";
import { lookForIndex, pushIndex } from "../image/push_index.ts";
import type { PushProgress } from "../image/push_progress.ts";
import { formatPlatform, type Platform, parsePlatform } from "../oci/platform.ts";
import {
  DEFAULT_TAG,
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
} from "../oci/reference.ts";
import { isOfPlatform, recordPath, type StoredImage } from "../store/find_image.ts";
import { listImages, listRecords } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { explainedBy } from "./credentials.ts";
import { dataRoot } from "./directories.ts";
import { ImageNotFoundError } from "./obtain_image.ts";
import type { PushObserver } from "./progress.ts";
import { type AccessRequest, clientOptions, findAccess } from "./registry_access.ts";
import type { PushResult } from "./summary.ts";
import { type StateNames, tellLayers } from "./tell_layers.ts";

/** How to push. */
export interface PushRequest extends AccessRequest {
  /** Every tag of the repository that is here; the name has none then. */
  readonly allTags: boolean;
  /** Only the image for this one: `os/arch[/variant]`. Undefined: all, where all are here, or this machine's. */
  readonly platform?: string | undefined;
  /** Undefined: quiet. */
  readonly observer?: PushObserver | undefined;
}

/**
 * Pushes an image, or all of a repository.
 * @returns what the registry has from now on, in the order of the tags
 * @throws {ImageNotFoundError} {RegistryError} {PushError}
 */
export async function push(
  name: string,
  request: PushRequest,
  context: EngineContext,
): Promise<PushResult[]> {
  const root = dataRoot(context);
  const named = parseReference(name);
  const platform = request.platform === undefined ? undefined : parsePlatform(request.platform);
  const images = request.allTags ? imagesOf(root, named, platform) : [imageOf(root, named, platform)];
  const access = await findAccess(named, request, context);
  const { observer } = request;
  const client = clientOptions(access, (text) => observer?.note?.(text));
  observer?.begin(`${named.registry}/${named.repository}`);
  const results: PushResult[] = [];
  try {
    // One after the other: they share most of their layers, which the first brings for all.
    for (const { image, reference } of images) {
      const options = {
        ...{ image, reference, root, client },
        onProgress: (progress: PushProgress) =>
          tellLayers(progress, states, (layer) => observer?.layer(layer)),
      };
      const work = (signal?: AbortSignal) =>
        pushOne({ ...options, signal }, { platform, onNote: (text) => observer?.note?.(text) });
      const pushed = await (context.interruptible?.(work) ?? work());
      results.push(resultOf(reference, pushed));
    }
    return results;
  } catch (error) {
    throw explainedBy(error, access.failures);
  } finally {
    observer?.end(results);
  }
}

interface PushChoice {
  readonly platform: Platform | undefined;
  readonly onNote: (text: string) => void;
}

/** The index with all its images, or the image for one platform. */
async function pushOne(options: PushOptions, { platform, onNote }: PushChoice): Promise<PushedImage> {
  const index = platform === undefined ? await lookForIndex(options) : "none";
  if (index === "whole") return pushIndex(options);
  if (index === "partial") {
    const name = familiarReference(options.reference);
    const pushed = `only that for ${formatPlatform(options.image)} is pushed`;
    onNote(
      `Not all images of "${name}" are here: ${pushed}; bunker copy --all takes all, from where they are`,
    );
  }
  return pushImage(options);
}

interface Chosen {
  readonly image: StoredImage;
  readonly reference: Reference;
}

/** The own platform's, where there are several and none was asked for. */
function imageOf(root: string, reference: Reference, platform: Platform | undefined): Chosen {
  const images = imagesNamed(root, reference);
  const image = images.find((each) => platform === undefined || isOfPlatform(each, platform));
  if (image !== undefined) return { image, reference };
  const [first] = images;
  if (first === undefined || platform === undefined)
    throw new ImageNotFoundError(`Cannot find image "${formatReference(reference)}" here`, {
      hint: "See what is here: bunker images",
    });
  const here = images.map((each) => formatPlatform(each)).join(", ");
  throw new ImageNotFoundError(
    `Cannot find image "${formatReference(reference)}" for ${formatPlatform(platform)} here: it is here for ${here}`,
    {
      hint: `Pull it first: bunker pull --platform ${formatPlatform(platform)} ${familiarReference(reference)}`,
    },
  );
}

/** All platforms of a name, the own record first. */
function imagesNamed(root: string, reference: Reference): StoredImage[] {
  const base = recordPath(reference).slice(0, -".json".length);
  const records = listRecords(root).filter(
    ({ path }) => path === `${base}.json` || path.startsWith(`${base}!`),
  );
  return records.sort((one, other) => one.path.length - other.path.length).map(({ image }) => image);
}

/** One of each tag. */
function imagesOf(
  root: string,
  { registry, repository }: Reference,
  platform: Platform | undefined,
): Chosen[] {
  const tags = listImages(root)
    .map((image) => parseReference(image.reference))
    .filter((reference) => reference.registry === registry && reference.repository === repository)
    .flatMap(({ tag, digest }) => (tag === undefined || digest !== undefined ? [] : [tag]));
  if (tags.length > 0)
    return [...new Set(tags)].map((tag) => imageOf(root, { registry, repository, tag }, platform));
  throw new ImageNotFoundError(`Cannot find a tag of "${registry}/${repository}" here`, {
    hint: "See what is here: bunker images",
  });
}

const resultOf = (reference: Reference, { digest, sizeBytes }: PushedImage): PushResult => ({
  reference: formatReference(reference),
  tag: reference.digest ?? reference.tag ?? DEFAULT_TAG,
  digest,
  sizeBytes,
});

const states: StateNames = {
  pushing: "uploading",
  pushed: "pushed",
  exists: "exists there",
  mounted: "mounted",
};
