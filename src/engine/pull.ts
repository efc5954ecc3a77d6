/** `pull`: an image from its registry into the store. */
import { pullImage } from "../image/pull.ts";
import type { PullProgress } from "../image/pull_progress.ts";
import type { PullResult as ImageResult } from "../image/store_image.ts";
import type { Skipped } from "../image/unpack/attributes.ts";
import { digestHex } from "../oci/digest.ts";
import { parsePlatform } from "../oci/platform.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { findImage } from "../store/find_image.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { explainedBy, type FoundCredentials, findCredentials } from "./credentials.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import type { LayerState, PullObserver } from "./progress.ts";
import { idMapsOfUser } from "./rootless.ts";
import type { PullResult } from "./summary.ts";
import { runTask } from "./user_namespace_task.ts";

/** How to pull. */
export interface PullRequest {
  /** `os/arch[/variant]`; undefined: this machine's. */
  readonly platform: string | undefined;
  /** Undefined: quiet. */
  readonly observer?: PullObserver | undefined;
  /** On behalf of a run: the display differs. */
  readonly implicit?: boolean;
}

/**
 * Pulls an image. As an ordinary user this is done by a second process in a user namespace, where files can have
 * their owners.
 * @throws {RegistryError} {PullError} {StoreError} {ReportedError}
 */
export async function pull(name: string, request: PullRequest, context: EngineContext): Promise<PullResult> {
  // scripts/build.ts makes the compiler slow to begin; a pull is work for it from the first layer on.
  Bun.unsafe.setJITPolicy(1);
  const reference = parseReference(name);
  if (process.getuid?.() === 0) return (await pullHere(name, request, context)).result;
  const idMaps = idMapsOfUser();
  const find = () => findImage(dataRoot(context), reference);
  const before = find();
  const { debug, config } = context;
  // Here, not by the task: a helper that is root of a user namespace would not reach the user's key ring.
  const { registries } = readConfiguration(context);
  const { store, failures } = await findCredentials(reference, registries);
  await runTask(
    {
      kind: "pull",
      reference: name,
      platform: request.platform,
      quiet: request.observer === undefined,
      implicit: request.implicit ?? false,
      single: idMaps.single,
      context: { debug, config, root: dataRoot(context), state: stateRoot(context) },
    },
    idMaps,
    { store, failures: failures.map(({ message }) => message) },
  );
  const image = find();
  const status = image?.storedAt === before?.storedAt ? "up-to-date" : "downloaded";
  return { reference: formatReference(reference), digest: image?.targetDigest ?? "", status };
}

/** A pull by this very process. */
export interface PullHere extends PullRequest {
  /** Set when this process is root of a user namespace. */
  readonly rootless?: { readonly owners: "exact" | "single" };
  /** Undefined: they are looked up. */
  readonly credentials?: FoundCredentials | undefined;
}

/** What was pulled, and what of it could not be kept. */
export interface PulledHere {
  readonly result: PullResult;
  readonly skipped: Skipped;
}

/** Pulls as the user that this process is, root of some namespace. */
export async function pullHere(name: string, request: PullHere, context: EngineContext): Promise<PulledHere> {
  const reference = parseReference(name);
  const { registries } = readConfiguration(context);
  const { platform, observer, rootless } = request;
  const { store, failures } = request.credentials ?? (await findCredentials(reference, registries));
  observer?.begin(formatReference(reference));
  let pulled: ImageResult | undefined;
  try {
    const work = (signal?: AbortSignal) =>
      pullImage({
        reference,
        platform: platform === undefined ? undefined : parsePlatform(platform),
        root: dataRoot(context),
        client: { registries, credentials: store },
        rootless,
        signal,
        onProgress: (progress) => observer === undefined || tell(observer, progress),
      });
    pulled = await (context.interruptible?.(work) ?? work());
    return { result: resultOf(pulled), skipped: pulled.skipped };
  } catch (error) {
    throw explainedBy(error, failures);
  } finally {
    observer?.end(pulled === undefined ? undefined : resultOf(pulled));
  }
}

const resultOf = ({ image, status }: ImageResult): PullResult => ({
  reference: image.reference,
  digest: image.targetDigest,
  status,
});

const states: Readonly<Record<"exists" | "fetching" | "unpacked", LayerState>> = {
  exists: "exists",
  fetching: "downloading",
  unpacked: "done",
};

/** Hexadecimal digits of a layer's digest that are shown. */
const SHORT_DIGEST_LENGTH = 12;

function tell(observer: PullObserver, progress: PullProgress): void {
  if (progress.kind === "waiting") return;
  if (progress.kind === "layer") {
    const { digest, state, doneBytes, sizeBytes } = progress;
    const layer = digestHex(digest).slice(0, SHORT_DIGEST_LENGTH);
    observer.layer({ layer, state: states[state], current: doneBytes, total: sizeBytes });
    return;
  }
  for (const { digest, sizeBytes } of progress.layers) {
    const layer = digestHex(digest).slice(0, SHORT_DIGEST_LENGTH);
    observer.layer({ layer, state: "waiting", current: 0, total: sizeBytes });
  }
}
