/** `pull --all-tags`: every image of a repository. What the tags share is fetched once, as with any two pulls. */
import { BunkerError } from "../errors.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { RegistryClient } from "../registry/client.ts";
import { listTags } from "../registry/tags.ts";
import type { EngineContext } from "./context.ts";
import { explainedBy } from "./credentials.ts";
import { ImageNotFoundError } from "./obtain_image.ts";
import type { TagsObserver } from "./progress.ts";
import { type PullRequest, pullWithAccess } from "./pull.ts";
import { findAccess, type RegistryAccess } from "./registry_access.ts";
import type { PullResult } from "./summary.ts";

/** How to pull; the observer hears of each tag. */
export type PullTagsRequest = Omit<PullRequest, "observer"> & {
  readonly observer?: TagsObserver | undefined;
};

/** Tags that a repository may well have beside its images: signatures and charts, and images for other machines. */
const SKIPPED: readonly string[] = ["NOT_AN_IMAGE", "PLATFORM_NOT_FOUND"];

/**
 * Pulls every tag of a repository, one after the other. What is no image, or for other platforms, is passed over.
 * @param name of the repository; a tag in it means nothing
 * @returns what was pulled, in the order of the registry
 * @throws {ImageNotFoundError} when there is nothing to pull, and what the first pull that fails throws
 */
export async function pullAllTags(
  name: string,
  request: PullTagsRequest,
  context: EngineContext,
): Promise<PullResult[]> {
  const { registry, repository } = parseReference(name);
  const access = await findAccess({ registry, repository }, request, context);
  const results: PullResult[] = [];
  const work = async (signal: AbortSignal = new AbortController().signal): Promise<void> => {
    const tags = await tagsOf({ registry, repository }, access, signal);
    const inner = { ...context, interruptible: <T>(pull: (own: AbortSignal) => Promise<T>) => pull(signal) };
    for (const tag of tags) {
      signal.throwIfAborted();
      const reference = formatReference({ registry, repository, tag });
      try {
        // One after the other: they share most of their layers.
        results.push(await pullWithAccess(reference, { ...request, access }, inner));
      } catch (error) {
        if (!(error instanceof BunkerError) || !SKIPPED.includes(error.code)) throw error;
        request.observer?.skip(tag, error.message);
      }
    }
  };
  try {
    await (context.interruptible?.(work) ?? work());
  } finally {
    request.observer?.endAll(`${registry}/${repository}`, results);
  }
  if (results.length > 0) return results;
  throw new ImageNotFoundError(
    `Cannot pull a tag of "${registry}/${repository}": it has no image for this machine`,
    {
      hint: "Choose a platform with --platform",
    },
  );
}

async function tagsOf(
  place: { readonly registry: string; readonly repository: string },
  { client, failures }: RegistryAccess,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await listTags(new RegistryClient(client), place, signal);
  } catch (error) {
    throw explainedBy(error, failures);
  }
}
