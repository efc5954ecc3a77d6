/**
 * From an index through indices in it to the manifest for a platform. Where the documents are, in a registry, a layout or
 * an archive, is for the caller to know, who reads them; the order of the search and its bounds are the same for all.
 */
import type { ManifestDescriptor } from "./descriptor.ts";
import { chooseManifest, type ImageIndex, type ImageManifest } from "./manifest.ts";
import type { Platform } from "./platform.ts";

/** Most indices on the way to a manifest. */
export const INDEX_DEPTH_MAX = 4;
/** Most indices that are looked through for one platform: a registry may count each as a pull. */
export const INDEX_COUNT_MAX = 16;

/** A document that has been read, however it is kept. */
interface Read {
  readonly content: ImageManifest | ImageIndex;
}

/** Where a search begins, and how it goes on. */
export interface PlatformSearch<Document extends Read> {
  readonly top: Document;
  readonly platform: Platform;
  /** Reads what an index names. */
  readonly read: (entry: ManifestDescriptor) => Promise<Document> | Document;
  /** The error of a search beyond a bound. @param what the bound, for "more than …" */
  readonly tooMany: (what: string) => Error;
}

/** What came out of a search. */
export interface PlatformResult<Document> {
  /** Undefined when nothing is for the platform. */
  readonly found: Document | undefined;
  /** Indices on the way to it, outermost first. */
  readonly indices: readonly Document[];
  /** Platforms that have been seen, as `os/architecture[/variant]`. */
  readonly available: readonly string[];
}

/** Looks for the manifest; a top that is one is found at once. @throws what `read` throws, and what `tooMany` makes */
export async function findForPlatform<Document extends Read>(
  search: PlatformSearch<Document>,
): Promise<PlatformResult<Document>> {
  const { top, platform, read, tooMany } = search;
  const available = new Set<string>();
  let indexCount = 0;
  const lookBelow = async (document: Document, above: readonly Document[]): Promise<Way<Document>> => {
    const { content } = document;
    if (content.kind === "manifest") return { found: document, indices: above };
    indexCount += 1;
    if (above.length === INDEX_DEPTH_MAX) throw tooMany(`${INDEX_DEPTH_MAX} indices, one in another`);
    if (indexCount > INDEX_COUNT_MAX) throw tooMany(`${INDEX_COUNT_MAX} indices`);
    const chosen = chooseManifest(content, platform);
    for (const each of chosen.available) available.add(each);
    for (const entry of chosen.entries) {
      // One after the other: most often the first has it.
      const way = await lookBelow(await read(entry), [...above, document]);
      if (way.found !== undefined) return way;
    }
    return { found: undefined, indices: [] };
  };
  return { ...(await lookBelow(top, [])), available: [...available] };
}

type Way<Document> = Omit<PlatformResult<Document>, "available">;
