/**
 * Pulls an image: asks what the name means now, and has store_image.ts bring the layers that are missing and commit all in
 * one step. Until the record of the image is renamed into place, nothing that can be seen has changed; a kill at any time
 * leaves staging directories, which the next pull removes.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { readSmallFile } from "../linux/small_file.ts";
import { blobPath } from "../oci/digest.ts";
import { hostPlatform } from "../oci/platform.ts";
import { RegistryClient, type RegistryClientOptions, type Target } from "../registry/client.ts";
import { findImage, recordPath, type StoredImage } from "../store/find_image.ts";
import { isWhole } from "../store/image_content.ts";
import { mendIndexOf } from "../store/images.ts";
import { lockName } from "../store/name_lock.ts";
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
    return { ...(await pullBy(client, options, signal)), quota: client.quota(reference.registry) };
  } catch (error) {
    throw pullError(reference, explainFull(root, error), signal);
  }
}

async function pullBy(
  client: RegistryClient,
  options: PullOptions,
  signal: AbortSignal,
): Promise<PullResult> {
  const { reference, root, platform, onProgress } = options;
  const storedAt = (): string | undefined => findImage(root, reference, platform)?.storedAt;
  const before = storedAt();
  const first = await findPresent(options, client, signal);
  if (first.present !== undefined) return upToDate(first.present, options);
  // Nothing is fetched twice by those who want the same at once: the others find what the first has brought.
  using _ = await lockName(root, options, { signal, onWait: () => onProgress?.({ kind: "waiting" }) });
  const { present, target } = storedAt() === before ? first : await findPresent(options, client, signal);
  if (present !== undefined) return upToDate(present, options);
  const resolved = await client.resolve(reference, {
    ...(platform === undefined ? {} : { platform }),
    known: (digest) => readSmallFile(`${root}/${blobPath(digest)}`),
    target,
    signal,
  });
  if (resolved.isOtherPlatform) throw otherPlatformError(resolved, platform ?? hostPlatform());
  return await storeImage(resolved, options, { client, signal });
}

async function upToDate(image: StoredImage, options: PullOptions): Promise<PullResult> {
  await mendIndexOf(options.root, options);
  return { image, status: "up-to-date", skipped: NOTHING_SKIPPED };
}

/** What is here, and what the reference means at present as far as that was asked. */
interface Present {
  /** The image, when the registry still means it. */
  readonly present?: StoredImage | undefined;
  readonly target?: Target | undefined;
}

async function findPresent(
  { reference, platform, root, keepBlobs = true }: PullOptions,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<Present> {
  const image = findImage(root, reference, platform);
  // It may run, but could not be saved or pushed: what is missing is fetched.
  const isHere =
    image?.layers.every((layer) => existsSync(`${root}/${layer}`)) === true &&
    (!keepBlobs || isWhole(root, image));
  // A digest cannot come to mean something else.
  if (reference.digest !== undefined) return isHere ? { present: image } : {};
  // Only where there is something that the tag may name: HEAD costs no pull, but a round trip.
  if (!existsSync(dirname(`${root}/${recordPath(reference)}`))) return {};
  const target = await client.findTarget(reference, signal);
  return isHere && target?.digest === image?.targetDigest ? { present: image } : { target };
}
