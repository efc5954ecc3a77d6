/**
 * Pushes what an image's name meant when it was pulled: its index, with the images of all platforms. Each of them, and what
 * goes with them, such as attestations, has to be in the store, or at the destination already; else the index is not pushed.
 */
import type { Digest } from "../oci/digest.ts";
import { manifestKind } from "../oci/media_type.ts";
import { copyImage } from "./copy/copy.ts";
import { findBytes, findSound, hasWhole } from "./copy/layout.ts";
import { RegistryTarget } from "./copy/registry_target.ts";
import { StoreSource } from "./copy/store_source.ts";
import { originsOf, type PushedImage, type PushOptions } from "./push.ts";

/**
 * Whether the index that an image came by can be pushed.
 * @returns `none` when it came by none, `partial` when a part is neither here nor there
 * @throws {RegistryError}
 */
export async function lookForIndex(options: PushOptions): Promise<"none" | "partial" | "whole"> {
  const { root, image, reference, client, signal = new AbortController().signal } = options;
  if (image.targetDigest === image.manifestDigest) return "none";
  const missing = missingBelow(root, image.targetDigest);
  if (missing === undefined) return "partial";
  await using target = new RegistryTarget(reference, { ...client, signal });
  // One after the other: the first that is nowhere decides.
  for (const digest of missing) if (!(await target.hasDocument(digest))) return "partial";
  return "whole";
}

/** Manifests that the store lacks; undefined when an index is not here. */
function missingBelow(root: string, index: Digest): readonly Digest[] | undefined {
  const content = findSound(root, index);
  if (content?.kind !== "index") return undefined;
  const missing = content.entries.filter(({ digest }) => !hasWhole(root, digest));
  const isNested = missing.some(({ mediaType }) => manifestKind(mediaType) === "index");
  return isNested ? undefined : missing.map(({ digest }) => digest);
}

/**
 * Pushes the index of an image; {@link lookForIndex} has said that it is whole.
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
