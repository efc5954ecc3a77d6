/** `commit`: an image of what a container has made of its own. */
import { readFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { compressLayer, type NewLayer } from "../image/compressed_layer.ts";
import { LayerArchive } from "../image/differ/layer_archive.ts";
import { baseOf, configOf, type ImageBase, storeNewImage, timeText } from "../image/new_image.ts";
import { storeError } from "../image/store_error.ts";
import { applyChanges, type ChangeableConfig } from "../oci/change/change.ts";
import { blobPath } from "../oci/digest.ts";
import { pauseGroup } from "../runtime/cgroup/pause_group.ts";
import { openStore } from "../store/open_store.ts";
import { removeAbandoned, Staging } from "../store/staging.ts";
import type { GivenConfig } from "./container_directory.ts";
import type { RunningContainer } from "./container_uses.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import { ImageDamagedError } from "./image_documents.ts";
import { holdUsers } from "./image_users.ts";
import { referenceOf, rootPlace, type StoreHere } from "./import.ts";
import { ContainerTree, containerPath, getContainer } from "./running_container.ts";
import { giveUpper } from "./upper_in_memory.ts";

/** What becomes of the container's files. */
export interface CommitRequest {
  /** Name of the image; without one its digest is its name. */
  readonly reference: string | undefined;
  readonly author: string | undefined;
  /** Comment of the new step. */
  readonly message: string | undefined;
  /** Instructions of a Dockerfile: CMD, ENV, … */
  readonly changes: readonly string[];
  /** Stop the container's processes while its files are read; undefined: where that can be done. */
  readonly pause: boolean | undefined;
  /** Time of the image, and latest time of its files, in seconds since 1970 (SOURCE_DATE_EPOCH) [now]. */
  readonly createdAt: number | undefined;
}

/**
 * Makes an image of a running container: its own image, with what it has changed as one layer more.
 * @returns the id of the image
 * @throws {NoSuchContainerError} {ContainerEndedError} {UsageError} where its changes are not kept apart
 * @throws {StoreImageError} when the image cannot be made or stored
 */
export async function commitContainer(
  word: string,
  request: CommitRequest,
  context: EngineContext,
): Promise<string> {
  const root = dataRoot(context);
  // Before the container is paused, or a second process started.
  referenceOf(request.reference);
  applyChanges({}, request.changes);
  const what: CommitHere = { id: getContainer(root, word).id, request, state: stateRoot(context) };
  const work = async (signal?: AbortSignal): Promise<string> => {
    if (process.getuid?.() === 0) return commitHere(what, rootPlace(context, signal));
    const { idMapsOfUser } = await import("./rootless.ts");
    const { askTask, FIRST_GIVEN_FD } = await import("./user_namespace_task.ts");
    const idMaps = idMapsOfUser();
    using given = giveUpper(containerPath(root, what.id), FIRST_GIVEN_FD);
    const task = { kind: "commit", root, single: idMaps.single, ...what, ...given.upper } as const;
    const [id] = await askTask(task, idMaps, { signal, inherit: given.inherit });
    return String(id);
  };
  return await (context.interruptible?.(work) ?? work());
}

/** What is committed, by the process that may read all of it. */
export interface CommitHere {
  /** Id of the container; what it was started with may be secret, and is not handed on. */
  readonly id: string;
  readonly request: CommitRequest;
  /** State root. */
  readonly state: string;
  /** Number of the descriptor of its layer, where that lies in memory. */
  readonly upper?: number | undefined;
}

/** Commits as the user that this process is, root of some namespace. @returns the id of the image */
export async function commitHere(what: CommitHere, here: StoreHere): Promise<string> {
  const { id, request, state, upper } = what;
  const { root, rootless, layers, signal = new AbortController().signal } = here;
  const { createdAt, author, message, changes } = request;
  try {
    const container = getContainer(root, id);
    const base = readBase(root, container);
    const used = withGiven(configOf(base), container.given);
    const config = applyChanges(used, changes);
    openStore(root);
    await removeAbandoned(root);
    using staging = Staging.create(root);
    const path = `${staging.path}/layer`;
    const layer = await readLayer(container, { root, state, request, path, signal, upper });
    const step = {
      created: timeText(createdAt === undefined ? new Date() : new Date(createdAt * 1000)),
      ...(author === undefined ? {} : { author }),
      created_by: (used.Cmd ?? []).join(" "),
      ...(message === undefined ? {} : { comment: message }),
    };
    const reference = referenceOf(request.reference);
    const options = { root, rootless, layers, signal, reference, holdUsers };
    const { image } = await storeNewImage({ base, layer, config, step }, options);
    return image.imageId;
  } catch (cause) {
    throw storeError(`commit container ${id}`, { cause, signal });
  }
}

function readBase(root: string, { imageId, manifestDigest }: RunningContainer): ImageBase {
  try {
    const [manifest, config] = [manifestDigest, imageId].map((digest) =>
      readFileSync(`${root}/${blobPath(digest)}`),
    );
    return baseOf(manifest ?? Buffer.alloc(0), config ?? Buffer.alloc(0));
  } catch (cause) {
    throw new ImageDamagedError("Cannot read the image of the container", {
      cause,
      hint: "Pull it again with bunker pull, or see bunker system check",
    });
  }
}

/** The configuration that the container was started with, as docker has it: its own command and environment. */
function withGiven(config: ChangeableConfig, given: GivenConfig): ChangeableConfig {
  const { command, entrypoint, env, user, workdir } = given;
  const names = new Set(env.map(nameOf));
  const kept = (config.Env ?? []).filter((entry) => !names.has(nameOf(entry)));
  const added = env.filter((entry) => entry.includes("="));
  return {
    ...config,
    ...(env.length === 0 ? {} : { Env: [...kept, ...added] }),
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(command.length === 0 && entrypoint === undefined ? {} : { Cmd: command }),
    ...(user === undefined ? {} : { User: user }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
  };
}

const nameOf = (entry: string): string => entry.split("=", 1)[0] ?? "";

interface Reading {
  readonly root: string;
  readonly state: string;
  readonly request: CommitRequest;
  /** Path of the new layer. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly upper: number | undefined;
}

/** @returns undefined when the container has changed nothing */
async function readLayer(
  container: RunningContainer,
  { root, state, request, path, signal, upper }: Reading,
): Promise<NewLayer | undefined> {
  using tree = new ContainerTree(root, container, upper);
  try {
    tree.checkReachable();
    using _ =
      request.pause === false ? undefined : pause(container.id, { state, isAsked: request.pause === true });
    const archive = new LayerArchive(tree.openChanges(), { mtimeMax: request.createdAt });
    const layer = await compressLayer(archive.chunks(), path, signal);
    tree.checkAlive();
    return archive.isEmpty ? undefined : layer;
  } catch (error) {
    throw tree.explain(error);
  }
}

/** What is only a default degrades: a container that cannot be paused is read while it runs. */
function pause(
  id: string,
  { state, isAsked }: { readonly state: string; readonly isAsked: boolean },
): Disposable | undefined {
  const paused = pauseGroup(id, `${state}/pause-${process.pid}`);
  if (paused !== undefined || !isAsked) return paused;
  throw new UsageError(`Cannot pause container ${id}: it has no control group that can be frozen`, {
    hint: "Leave out --pause: its files are read while it runs then",
  });
}
