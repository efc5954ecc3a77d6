/** `pull`: an image from its registry into the store. */
import { pullImage } from "../image/pull.ts";
import type { PullProgress } from "../image/pull_progress.ts";
import type { Skipped } from "../image/unpack/attributes.ts";
import { parsePlatform } from "../oci/platform.ts";
import { familiarReference, formatReference, parseReference, type Reference } from "../oci/reference.ts";
import { describeQuota, type Quota } from "../registry/notices.ts";
import { findImage } from "../store/find_image.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { explainedBy } from "./credentials.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import { holdUsers } from "./image_users.ts";
import type { LayerProgress, LayerState, PullObserver } from "./progress.ts";
import { type AccessRequest, clientOptions, findAccess, type RegistryAccess } from "./registry_access.ts";
import { idMapsOfUser } from "./rootless.ts";
import type { PullResult } from "./summary.ts";
import { shortDigest } from "./tell_layers.ts";
import { runTask } from "./user_namespace_task.ts";

/** How to pull. */
export interface PullRequest extends AccessRequest {
  /** `os/arch[/variant]`; undefined: this machine's. */
  readonly platform: string | undefined;
  /** Undefined: quiet. */
  readonly observer?: PullObserver | undefined;
  /** Note how many pulls are left, where the registry says it [false]. */
  readonly verbose?: boolean | undefined;
}

/**
 * Pulls an image. As an ordinary user this is done by a second process in a user namespace, where files can have
 * their owners.
 * @throws {RegistryError} {PullError} {StoreError} {RelayedError} {TaskError}
 */
export async function pull(name: string, request: PullRequest, context: EngineContext): Promise<PullResult> {
  // Here, not by the task: a helper that is root of a user namespace would not reach the user's key ring.
  const access = await findAccess(parseReference(name), request, context);
  return pullWithAccess(name, { ...request, access }, context);
}

/** As {@link pull}, for one of several images of a repository. */
export async function pullWithAccess(
  name: string,
  request: PullRequest & { readonly access: RegistryAccess },
  context: EngineContext,
): Promise<PullResult> {
  // scripts/build.ts makes the compiler slow to begin; a pull is work for it from the first layer on.
  Bun.unsafe.setJITPolicy(1);
  const { platform, observer, verbose, access } = request;
  observer?.begin(formatReference(parseReference(name)));
  let result: PullResult | undefined;
  try {
    const onLayer = (progress: LayerProgress): void => observer?.layer(progress);
    const onNote = (text: string): void => observer?.note?.(text);
    const here = { platform, access, onLayer, onNote, verbose };
    const work = (signal?: AbortSignal): Promise<PullResult> =>
      process.getuid?.() === 0
        ? pullHere(name, { ...here, signal }, context).then((pulled) => pulled.result)
        : pullThere(name, { ...here, signal }, context);
    result = await (context.interruptible?.(work) ?? work());
    return result;
  } finally {
    observer?.end(result);
  }
}

/** A pull by this very process. */
export interface PullHere {
  readonly platform: string | undefined;
  readonly access: RegistryAccess;
  readonly onLayer: (progress: LayerProgress) => void;
  readonly onNote: (text: string) => void;
  readonly verbose?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Set when this process is root of a user namespace. */
  readonly rootless?: { readonly owners: "exact" | "single" };
}

/** What was pulled, and what of it could not be kept. */
export interface PulledHere {
  readonly result: PullResult;
  readonly skipped: Skipped;
}

/** Pulls as the user that this process is, root of some namespace. */
export async function pullHere(name: string, request: PullHere, context: EngineContext): Promise<PulledHere> {
  const reference = parseReference(name);
  const { platform, access, onLayer, onNote, signal, rootless } = request;
  const onWait = (): void =>
    onNote(`Waiting for another command that pulls "${familiarReference(reference)}", or a layer of it`);
  const onProgress = telling(onLayer, onWait);
  try {
    const { image, status, skipped, quota } = await pullImage({
      reference,
      platform: platform === undefined ? undefined : parsePlatform(platform),
      root: dataRoot(context),
      layers: rootless === undefined ? readConfiguration(context).layers : undefined,
      client: clientOptions(access, onNote),
      rootless,
      signal,
      onProgress,
      holdUsers,
    });
    if (request.verbose === true) onNote(noteOf(reference, quota));
    return { result: { reference: image.reference, digest: image.targetDigest, status }, skipped };
  } catch (error) {
    throw explainedBy(error, access.failures);
  }
}

/** Pulls by a second process. */
async function pullThere(
  name: string,
  { platform, access, onLayer, onNote, verbose, signal }: PullHere,
  context: EngineContext,
): Promise<PullResult> {
  const reference = parseReference(name);
  const idMaps = idMapsOfUser();
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  const find = () => findImage(dataRoot(context), reference, wanted);
  const before = find();
  const { debug, config } = context;
  const inner = { debug, config, root: dataRoot(context), state: stateRoot(context) };
  const { single } = idMaps;
  await runTask({ kind: "pull", reference: name, platform, verbose, single, context: inner }, idMaps, {
    secrets: { client: access.client, failures: access.failures.map(({ message }) => message) },
    signal,
    onMessage: (message) => {
      if (message.kind === "note") onNote(message.text);
      else if (message.kind === "layer") onLayer(message.progress);
    },
  });
  const image = find();
  const status = image?.storedAt === before?.storedAt ? "up-to-date" : "downloaded";
  return { reference: formatReference(reference), digest: image?.targetDigest ?? "", status };
}

function noteOf({ registry }: Reference, quota: Quota | undefined): string {
  return quota === undefined
    ? `"${registry}" names no limit of pulls`
    : `${describeQuota(quota)} ("${registry}")`;
}

const states: Readonly<Record<"exists" | "fetching" | "unpacked", LayerState>> = {
  exists: "exists",
  fetching: "downloading",
  unpacked: "done",
};

/** @param onWait called once, however many locks are waited for */
function telling(onLayer: PullHere["onLayer"], onWait: () => void): (progress: PullProgress) => void {
  let hasWaited = false;
  return (progress) => {
    if (progress.kind !== "waiting") return tell(onLayer, progress);
    if (!hasWaited) onWait();
    hasWaited = true;
  };
}

function tell(onLayer: PullHere["onLayer"], progress: Exclude<PullProgress, { kind: "waiting" }>): void {
  if (progress.kind === "layer") {
    const { digest, state, doneBytes, sizeBytes } = progress;
    const layer = shortDigest(digest);
    onLayer({ layer, state: states[state], current: doneBytes, total: sizeBytes });
    return;
  }
  for (const { digest, sizeBytes } of progress.layers) {
    const layer = shortDigest(digest);
    onLayer({ layer, state: "waiting", current: 0, total: sizeBytes });
  }
}
