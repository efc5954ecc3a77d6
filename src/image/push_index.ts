/**
 * Pushes what an image's name meant when it was pulled: its index, with the images of all platforms. That takes all of them
 * in the store, and what goes with them, such as attestations; where one is missing, the index is not pushed.
 */
import type { StoredImage } from "../store/find_image.ts";
import { copyImage } from "./copy/copy.ts";
import { findBytes, hasWhole } from "./copy/layout.ts";
import { RegistryTarget } from "./copy/registry_target.ts";
import { StoreSource } from "./copy/store_source.ts";
import { originsOf, type PushedImage, type PushOptions } from "./push.ts";

/** True when the index that an image came by is here with everything beneath it. */
export function hasWholeIndex(root: string, { targetDigest, manifestDigest }: StoredImage): boolean {
  return targetDigest !== manifestDigest && hasWhole(root, targetDigest);
}

/**
 * Pushes the index of an image; {@link hasWholeIndex} has said that it is here.
 * @throws {RegistryError} {CopyError} and the signal's reason, as pushImage()
 */
export async function pushIndex(options: PushOptions): Promise<PushedImage> {
  const { root, image, reference, client, signal = new AbortController().signal, onProgress } = options;
  signal.throwIfAborted();
  const { registry } = reference;
  await using source = new StoreSource({ root, image, registry, origins: originsOf(root, reference) });
  await using target = new RegistryTarget(reference, { ...client, signal });
  const { digest } = await copyImage({ source, target, choice: undefined, signal, onProgress });
  return { digest, sizeBytes: findBytes(root, digest)?.length ?? 0 };
}
