/** `copy`: an image from one registry, OCI layout or archive to another, without the store. */
import { UsageError } from "../errors.ts";
import { copyImage as copyBetween } from "../image/copy/copy.ts";
import { copyError } from "../image/copy/copy_error.ts";
import type { PlatformChoice } from "../image/copy/documents.ts";
import { LayoutSource } from "../image/copy/layout_source.ts";
import { LayoutTarget } from "../image/copy/layout_target.ts";
import type { CopySource, CopyTarget } from "../image/copy/place.ts";
import { type PlaceName, parsePlaceName } from "../image/copy/place_name.ts";
import { RegistrySource } from "../image/copy/registry_source.ts";
import { RegistryTarget } from "../image/copy/registry_target.ts";
import type { PushProgress } from "../image/push_progress.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import type { RegistryClientOptions } from "../registry/client.ts";
import type { EngineContext } from "./context.ts";
import { explainedBy } from "./credentials.ts";
import type { CopyObserver } from "./progress.ts";
import { type AccessRequest, clientOptions, findAccess } from "./registry_access.ts";
import type { CopyResult } from "./summary.ts";
import { type StateNames, tellLayers } from "./tell_layers.ts";

/** What to copy, and how. */
export interface CopyRequest extends AccessRequest {
  /** An index with everything beneath it, instead of the image for one platform. */
  readonly all: boolean;
  /** `os/arch[/variant]`; undefined: this machine's. */
  readonly platform: string | undefined;
  /** What refers to the image too: signatures, lists of parts. */
  readonly referrers: boolean;
  /** Only referrers of these types; empty: all. */
  readonly artifactTypes: readonly string[];
  /** Undefined: quiet. */
  readonly observer?: CopyObserver | undefined;
}

/**
 * Copies an image byte by byte.
 * @param from `[docker://]NAME[:TAG|@DIGEST]`, `oci:DIRECTORY[:TAG|@DIGEST]`, `oci-archive:FILE[:TAG]`,
 * `docker-archive:FILE[:NAME]`
 * @param to the same without a digest
 * @throws {RegistryError} {CopyError} {UsageError} {SyntaxError}
 */
export async function copyImage(
  [from, to]: readonly [from: string, to: string],
  request: CopyRequest,
  context: EngineContext,
): Promise<CopyResult> {
  const extent = extentOf(request);
  const [fromName, toName] = [from, to].map((text) => parsePlaceName(text, process.cwd())) as [
    PlaceName,
    PlaceName,
  ];
  refusePinned(to, toName);
  refuseIndex(to, toName, request);
  // Each by itself: two repositories of one registry may have two users.
  const reading = await accessTo(fromName, request, context);
  const writing = await accessTo(toName, request, context);
  let result: CopyResult | undefined;
  const work = async (signal: AbortSignal = new AbortController().signal): Promise<CopyResult> => {
    try {
      // Opening a target makes directories.
      signal.throwIfAborted();
      await using source = await sourceOf(fromName, reading.options, signal);
      await using target = await targetOf(toName, writing.options, signal);
      request.observer?.begin(source.name, target.name);
      const copied = await copyBetween({ source, target, signal, ...extent });
      return { source: source.name, target: target.name, ...copied };
    } catch (error) {
      throw copyError({ source: from, target: to }, error, signal);
    }
  };
  try {
    result = await (context.interruptible?.(work) ?? work());
    return result;
  } catch (error) {
    throw explainedBy(error, [...reading.failures, ...writing.failures]);
  } finally {
    request.observer?.end(result);
  }
}

function refusePinned(text: string, name: PlaceName): void {
  const digest =
    name.kind === "registry" ? name.reference.digest : name.kind === "layout" ? name.digest : undefined;
  if (digest === undefined) return;
  throw new UsageError(`Cannot copy to "${text}": a digest is what an image has, not a name to be given`, {
    hint: "Leave the digest away; the copy has the same as the image that is copied",
  });
}

/** Before anything is fetched. */
function refuseIndex(text: string, name: PlaceName, { all }: CopyRequest): void {
  if (!all || name.kind !== "archive" || name.form !== "docker-archive") return;
  throw new UsageError(`Cannot copy all platforms to "${text}": docker's form holds one`, {
    hint: "Leave --all away, or write oci-archive: in place of docker-archive:",
  });
}

interface Extent {
  readonly choice: PlatformChoice | undefined;
  readonly referrers: readonly string[] | undefined;
  readonly onProgress: ((progress: PushProgress) => void) | undefined;
}

function extentOf({ all, platform, referrers, artifactTypes, observer }: CopyRequest): Extent {
  if (all && platform !== undefined)
    throw new UsageError("Cannot copy all platforms and one: --all and --platform were given");
  const isAsked = platform !== undefined;
  const choice = { platform: isAsked ? parsePlatform(platform) : hostPlatform(), isAsked };
  return {
    choice: all ? undefined : choice,
    referrers: referrers || artifactTypes.length > 0 ? artifactTypes : undefined,
    onProgress:
      observer === undefined
        ? undefined
        : (progress) => tellLayers(progress, states, (layer) => observer.layer(layer)),
  };
}

interface PlaceAccess {
  readonly options: RegistryClientOptions;
  readonly failures: readonly Error[];
}

async function accessTo(name: PlaceName, request: CopyRequest, context: EngineContext): Promise<PlaceAccess> {
  if (name.kind !== "registry") return { options: {}, failures: [] };
  const access = await findAccess(name.reference, request, context);
  const options = clientOptions(access, (text) => request.observer?.note?.(text));
  return { options, failures: access.failures };
}

async function sourceOf(
  name: PlaceName,
  options: RegistryClientOptions,
  signal: AbortSignal,
): Promise<CopySource> {
  if (name.kind === "registry") return new RegistrySource(name.reference, options, signal);
  if (name.kind === "layout") return new LayoutSource(name);
  // Archives are read by what `load` reads them with.
  return (await import("../image/copy/archive_source.ts")).openArchive(name, signal);
}

async function targetOf(
  name: PlaceName,
  options: RegistryClientOptions,
  signal: AbortSignal,
): Promise<CopyTarget> {
  if (name.kind === "registry") return new RegistryTarget(name.reference, { ...options, signal });
  if (name.kind === "layout") return LayoutTarget.open(name, signal);
  return new (await import("../image/copy/archive_target.ts")).ArchiveTarget(name);
}

const states: StateNames = {
  pushing: "copying",
  pushed: "copied",
  exists: "exists there",
  mounted: "mounted",
};
