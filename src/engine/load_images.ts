/** `load`: the images of an archive into the store. */
import { createReadStream } from "node:fs";
import { loadArchive } from "../image/archive/load_archive.ts";
import type { LayerPreference } from "../image/erofs/layer_form.ts";
import { type Platform, parsePlatform } from "../oci/platform.ts";
import { familiarReference, parseReference } from "../oci/reference.ts";
import type { StoredImage } from "../store/find_image.ts";
import { checkArchiveFile } from "./archive_file.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import { holdUsers } from "./image_users.ts";
import { idMapsOfUser } from "./rootless.ts";
import { askTask } from "./user_namespace_task.ts";

/** An image that was loaded. */
export interface LoadedImage {
  readonly id: string;
  /** As a person would write it; undefined when the archive has no name for it. */
  readonly name: string | undefined;
}

/**
 * Loads an archive of docker, podman, skopeo or bunker, compressed or not.
 * @param file absolute path; undefined: standard input
 * @throws {UsageError} {ArchiveError} {OtherPlatformError} {PullError} {StoreError} {RelayedError}
 */
export async function loadImages(
  file: string | undefined,
  context: EngineContext,
  options: LoadRequest = {},
): Promise<LoadedImage[]> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  if (file !== undefined) checkArchiveFile(file);
  const root = dataRoot(context);
  const work = (signal?: AbortSignal): Promise<LoadedImage[]> =>
    process.getuid?.() === 0
      ? loadHere(file, {
          root,
          rootless: undefined,
          layers: readConfiguration(context).layers,
          platform,
          signal,
        })
      : loadThere(file, { root, platform, signal }, context);
  return await (context.interruptible?.(work) ?? work());
}

/** What of an archive is to be loaded. */
export interface LoadRequest {
  /** `os/arch[/variant]`: only images for it [all; of an index this machine's]. */
  readonly platform?: string | undefined;
}

/** A load by this very process. */
export interface LoadHere {
  /** Data root. */
  readonly root: string;
  /** Set when this process is root of a user namespace. */
  readonly rootless: { readonly owners: "exact" | "single" } | undefined;
  readonly layers?: LayerPreference | undefined;
  readonly platform?: Platform | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Loads as the user that this process is, root of some namespace. */
export async function loadHere(
  file: string | undefined,
  { root, rootless, layers, platform, signal }: LoadHere,
): Promise<LoadedImage[]> {
  const chunks =
    file === undefined ? createReadStream("", { fd: 0, autoClose: false }) : createReadStream(file);
  const whole = signal ?? new AbortController().signal;
  const options = { root, rootless, layers, platform, signal: whole, holdUsers };
  const images = await loadArchive(chunks, options);
  return images.map(describe);
}

function describe({ imageId, reference }: StoredImage): LoadedImage {
  const parsed = parseReference(reference);
  return { id: imageId, name: parsed.digest === undefined ? familiarReference(parsed) : undefined };
}

/** Loads by a second process. */
async function loadThere(
  file: string | undefined,
  { root, platform, signal }: Pick<LoadHere, "root" | "platform" | "signal">,
  context: EngineContext,
): Promise<LoadedImage[]> {
  const idMaps = idMapsOfUser();
  const { debug, config } = context;
  const inner = { debug, config, root, state: stateRoot(context) };
  const task = { kind: "load", file, platform, single: idMaps.single, context: inner } as const;
  return (await askTask(task, idMaps, { signal })) as LoadedImage[];
}
