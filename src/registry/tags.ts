/** The tags of a repository (distribution-spec, spec.md#listing-tags). */
import { DOCUMENT_BYTES_MAX, parseJsonObject, stringsAt } from "../oci/json.ts";
import { isTag, type Reference } from "../oci/reference.ts";
import type { RegistryClient } from "./client.ts";
import { pagesOf } from "./paging.ts";
import { RegistryError } from "./registry_error.ts";

/** Most tags of one repository: the largest on Docker Hub have some ten thousand. */
export const TAG_COUNT_MAX = 100_000;
/** What one page is asked to have; a registry may give fewer. */
const PAGE_TAGS = 1000;

/**
 * Lists the tags of a repository in the order of the registry, each once.
 * @throws {RegistryError}
 */
export async function listTags(
  client: RegistryClient,
  place: Pick<Reference, "registry" | "repository">,
  signal?: AbortSignal,
): Promise<string[]> {
  const { registry, repository } = place;
  const what = `tags of "${registry}/${repository}"`;
  return client.ask(place, async (session) => {
    const tags = new Set<string>();
    const list = { repository, path: `tags/list?n=${PAGE_TAGS}`, what, signal };
    for await (const page of pagesOf(session, list)) {
      if (page.status !== 200) throw await session.errorOf(page, what);
      for (const tag of parseTags(await page.bytes(DOCUMENT_BYTES_MAX), what)) tags.add(tag);
      if (tags.size > TAG_COUNT_MAX)
        throw invalid(what, new RangeError(`Cannot read tags: there are more than ${TAG_COUNT_MAX}`));
    }
    return [...tags];
  });
}

/** A repository whose last tag was deleted has `null`. */
function parseTags(bytes: Uint8Array, what: string): readonly string[] {
  try {
    const tags = stringsAt(parseJsonObject(bytes, "tags")["tags"], "tags", TAG_COUNT_MAX);
    const odd = tags.find((tag) => !isTag(tag));
    if (odd === undefined) return tags;
    throw new SyntaxError(`Cannot read tags: ${JSON.stringify(odd.slice(0, 100))} is none`);
  } catch (cause) {
    throw invalid(what, cause);
  }
}

function invalid(what: string, cause: unknown): RegistryError {
  return new RegistryError(`Cannot pull ${what}`, { code: "REGISTRY_PROTOCOL", cause });
}
