/** `import`: an archive of files becomes an image. */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import type { LayerPreference } from "../image/erofs/layer_form.ts";
import { importImage as importArchive } from "../image/import_image.ts";
import { storeError } from "../image/store_error.ts";
import { applyChanges } from "../oci/change/change.ts";
import { parsePlatform } from "../oci/platform.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import { checkArchiveFile } from "./archive_file.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { holdUsers } from "./image_users.ts";

/** What is imported, and what becomes of it. */
export interface ImportRequest {
  /** Path of an archive, an http or https URL, or "-" for standard input. */
  readonly source: string;
  /** Name of the image; without one its digest is its name. */
  readonly reference: string | undefined;
  /** Instructions of a Dockerfile: CMD, ENV, … */
  readonly changes: readonly string[];
  readonly message: string | undefined;
  /** `os/arch[/variant]`; undefined is this machine's. */
  readonly platform: string | undefined;
  /** When the image was made, in seconds since 1970 (SOURCE_DATE_EPOCH) [now]. */
  readonly createdAt: number | undefined;
}

/**
 * Imports an archive, which may be compressed by gzip or zstd.
 * @returns the id of the image
 * @throws {UsageError} {SyntaxError} for what cannot be meant; {StoreImageError} otherwise
 */
export async function importImage(asked: ImportRequest, context: EngineContext): Promise<string> {
  const root = dataRoot(context);
  const isPath = asked.source !== STDIN && !isUrl(asked.source);
  const request = isPath ? { ...asked, source: resolve(asked.source) } : asked;
  // Before a second process is started, or anything is read.
  referenceOf(request.reference);
  applyChanges({}, request.changes);
  if (request.platform !== undefined) parsePlatform(request.platform);
  if (isPath) checkArchiveFile(request.source);
  const work = async (signal?: AbortSignal): Promise<string> => {
    if (process.getuid?.() === 0) return importHere(request, rootPlace(context, signal));
    const { idMapsOfUser } = await import("./rootless.ts");
    const { askTask } = await import("./user_namespace_task.ts");
    const idMaps = idMapsOfUser();
    const [id] = await askTask({ kind: "import", root, single: idMaps.single, request }, idMaps, { signal });
    return String(id);
  };
  return await (context.interruptible?.(work) ?? work());
}

/** Where to, and as whom. */
export interface StoreHere {
  /** Data root. */
  readonly root: string;
  /** Set when this process is root of a user namespace. */
  readonly rootless: { readonly owners: "exact" | "single" } | undefined;
  readonly layers?: LayerPreference | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where root puts images. @throws {UsageError} when the configuration cannot be used */
export function rootPlace(context: EngineContext, signal: AbortSignal | undefined): StoreHere {
  return { root: dataRoot(context), rootless: undefined, layers: readConfiguration(context).layers, signal };
}

/** Imports as the user that this process is, root of some namespace. @returns the id of the image */
export async function importHere(request: ImportRequest, here: StoreHere): Promise<string> {
  const { root, rootless, layers, signal = new AbortController().signal } = here;
  const { source, changes, message, platform, createdAt } = request;
  const shown = await shownSource(source);
  try {
    const { image } = await importArchive(await chunksOf(source, signal), {
      root,
      rootless,
      layers,
      signal,
      holdUsers,
      changes,
      reference: referenceOf(request.reference),
      message: message ?? `Imported from ${isUrl(source) ? shown : STDIN}`,
      platform: platform === undefined ? undefined : parsePlatform(platform),
      created: createdAt === undefined ? new Date() : new Date(createdAt * 1000),
    });
    return image.imageId;
  } catch (cause) {
    const what = source === STDIN ? "the archive" : JSON.stringify(shown);
    throw storeError(`import ${what}`, { cause, signal });
  }
}

/** The name that a new image gets. @throws {UsageError} for a digest {SyntaxError} for no name */
export function referenceOf(word: string | undefined): Reference | undefined {
  if (word === undefined) return undefined;
  const reference = parseReference(word);
  if (reference.digest === undefined) return reference;
  throw new UsageError(`Cannot name an image "${word}": a digest is what it has, not a name to be given`);
}

/** What stands for standard input. */
const STDIN = "-";

const isUrl = (source: string): boolean => /^https?:\/\//i.test(source);

/** What history and messages say of a source: the query of a URL may hold a token. */
async function shownSource(source: string): Promise<string> {
  const url = isUrl(source) ? URL.parse(source) : null;
  if (url === null) return source;
  const { urlForMessages } = await import("../registry/registry_error.ts");
  return urlForMessages(url);
}

async function chunksOf(source: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (source === STDIN) return createReadStream("", { fd: 0, autoClose: false });
  if (!isUrl(source)) return createReadStream(source);
  const [{ download }, { machineTrust }] = await Promise.all([
    import("../registry/download.ts"),
    import("./certificates.ts"),
  ]);
  return download(source, { signal, trust: await machineTrust() });
}
