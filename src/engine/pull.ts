/** `pull`: an image from its registry into the store. */
import { type PullProgress, pullImage } from "../image/pull.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import type { PullObserver } from "./progress.ts";
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
 * @throws {RegistryError} {LayerError} {StoreError} {ReportedError}
 */
export async function pull(name: string, request: PullRequest, context: EngineContext): Promise<PullResult> {
  if (process.getuid?.() === 0) return pullHere(name, request, context);
  const idMaps = idMapsOfUser();
  const { debug, config } = context;
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
  );
  const { findImage } = await import("../store/find_image.ts");
  const image = findImage(dataRoot(context), parseReference(name));
  return { reference: formatReference(parseReference(name)), digest: image?.targetDigest ?? "", status: "downloaded" };
}
