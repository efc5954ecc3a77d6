/** `push`: an image of the store to the registry that its name says. */
import { type PushedImage, pushImage } from "../image/push.ts";
import type { PushProgress } from "../image/push_progress.ts";
import { digestHex } from "../oci/digest.ts";
import { DEFAULT_TAG, formatReference, parseReference, type Reference } from "../oci/reference.ts";
import { findImage, type StoredImage } from "../store/find_image.ts";
import { listImages } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { explainedBy } from "./credentials.ts";
import { dataRoot } from "./directories.ts";
import { ImageNotFoundError } from "./obtain_image.ts";
import type { LayerState, PushObserver } from "./progress.ts";
import { type AccessRequest, findAccess } from "./registry_access.ts";
import type { PushResult } from "./summary.ts";

/** How to push. */
export interface PushRequest extends AccessRequest {
  /** Every tag of the repository that is here; the name has none then. */
  readonly allTags: boolean;
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
  const images = request.allTags ? imagesOf(root, named) : [imageOf(root, named)];
  const { client, failures } = await findAccess(named, request, context);
  const { observer } = request;
  const onWarning = (text: string): void => observer?.note?.(text);
  observer?.begin(`${named.registry}/${named.repository}`);
  const results: PushResult[] = [];
  try {
    // One after the other: they share most of their layers, which the first brings for all.
    for (const { image, reference } of images) {
      const work = (signal?: AbortSignal) =>
        pushImage({
          image,
          reference,
          root,
          client: { ...client, onWarning },
          signal,
          onProgress: (progress) => observer === undefined || tell(observer, progress),
        });
      const pushed = await (context.interruptible?.(work) ?? work());
      results.push(resultOf(reference, pushed));
    }
    return results;
  } catch (error) {
    throw explainedBy(error, failures);
  } finally {
    observer?.end(results);
  }
}

interface Chosen {
  readonly image: StoredImage;
  readonly reference: Reference;
}

function imageOf(root: string, reference: Reference): Chosen {
  const image = findImage(root, reference);
  if (image !== undefined) return { image, reference };
  throw new ImageNotFoundError(`Cannot find image "${formatReference(reference)}" here`, {
    hint: "See what is here: bunker images",
  });
}

function imagesOf(root: string, { registry, repository }: Reference): Chosen[] {
  const images = listImages(root)
    .map((image) => ({ image, reference: parseReference(image.reference) }))
    .filter(({ reference }) => reference.registry === registry && reference.repository === repository)
    .filter(({ reference }) => reference.digest === undefined);
  if (images.length > 0) return images;
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

const states: Readonly<Record<"pushing" | "pushed" | "exists" | "mounted", LayerState>> = {
  pushing: "uploading",
  pushed: "pushed",
  exists: "exists there",
  mounted: "mounted",
};

/** Hexadecimal digits of a layer's digest that are shown. */
const SHORT_DIGEST_LENGTH = 12;

function tell(observer: PushObserver, progress: PushProgress): void {
  if (progress.kind === "layer") {
    const { digest, state, doneBytes, sizeBytes, from } = progress;
    const layer = digestHex(digest).slice(0, SHORT_DIGEST_LENGTH);
    observer.layer({ layer, state: states[state], current: doneBytes, total: sizeBytes, from });
    return;
  }
  for (const { digest, sizeBytes } of progress.layers) {
    const layer = digestHex(digest).slice(0, SHORT_DIGEST_LENGTH);
    observer.layer({ layer, state: "preparing", current: 0, total: sizeBytes });
  }
}
