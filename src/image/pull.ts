/**
 * Pulls an image: asks what the name means now, and has store_image.ts bring the layers that are missing and commit all in
 * one step. Until the record of the image is renamed into place, nothing that can be seen has changed; a kill at any time
 * leaves staging directories, which the next pull removes.
 */
import { existsSync } from "node:fs";
import { hostPlatform } from "../oci/platform.ts";
import { RegistryClient, type RegistryClientOptions } from "../registry/client.ts";
import { findImage, type StoredImage } from "../store/find_image.ts";
import { isWhole } from "../store/image_content.ts";
import { mendIndexOf } from "../store/images.ts";
import { openStore } from "../store/open_store.ts";
import { removeAbandoned } from "../store/staging.ts";
import { explainFull } from "./disk_full.ts";
import { otherPlatformError, pullError } from "./pull_error.ts";
import { type PullResult, type StoreOptions, storeImage } from "./store_image.ts";
import type { Skipped } from "./unpack/attributes.ts";

/** What to pull, and where to; defaults in brackets. */
export interface PullOptions extends StoreOptions {
  /** Registries, credentials, retries and timeouts. */
  readonly client?: RegistryClientOptions;
  readonly signal?: AbortSignal | undefined;
}

const NOTHING_SKIPPED: Skipped = { owners: 0, devices: 0, xattrs: 0 };

/**
 * Pulls an image into the store.
 * @throws {RegistryError} when the registry does not have it, or cannot be reached
 * @throws {PullError} for a layer that is damaged or hostile, and for a full disk: nothing has changed then
 * @throws the signal's reason when it is aborted: nothing has changed then either
 */
export async function pullImage(options: PullOptions): Promise<PullResult> {
  const { reference, root } = options;
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  try {
    openStore(root);
    await removeAbandoned(root);
    const client = new RegistryClient(options.client);
    const present = await findPresent(options, client, signal);
    if (present !== undefined) await mendIndexOf(root, options);
    const quota = (): Pick<PullResult, "quota"> => ({ quota: client.quota(reference.registry) });
    if (present !== undefined)
      return { image: present, status: "up-to-date", skipped: NOTHING_SKIPPED, ...quota() };
    const { platform } = options;
    const resolved = await client.resolve(reference, {
      ...(platform === undefined ? {} : { platform }),
      signal,
    });
    if (resolved.isOtherPlatform) throw otherPlatformError(resolved, platform ?? hostPlatform());
    return { ...(await storeImage(resolved, options, { client, signal })), ...quota() };
  } catch (error) {
    throw pullError(reference, explainFull(root, error), signal);
  }
}

/** The image that is here, when the registry still means it. */
async function findPresent(
  { reference, platform, root, keepBlobs = true }: PullOptions,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<StoredImage | undefined> {
  const image = findImage(root, reference, platform);
  if (image === undefined || !image.layers.every((layer) => existsSync(`${root}/${layer}`))) return undefined;
  // It runs, but could not be saved or pushed: what is missing is fetched.
  if (keepBlobs && !isWhole(root, image)) return undefined;
  // A digest cannot come to mean something else.
  if (reference.digest !== undefined) return image;
  const target = await client.findTarget(reference, signal);
  return target?.digest === image.targetDigest ? image : undefined;
}
