/** `system prune`: what killed commands have left, images that lost their tag, and with `all` what no container needs. */
import { rmSync } from "node:fs";
import { close } from "../linux/file.ts";
import { removeLeftCgroup } from "../runtime/cgroup/cgroup.ts";
import { CONTAINERS, openContainers } from "./container_directory.ts";
import type { EngineContext } from "./context.ts";
import { COMPILED_PROGRAMS, dataRoot } from "./directories.ts";
import { type PruneRequest, pruneImages } from "./prune_images.ts";
import { removeAllAbandoned } from "./remove_abandoned.ts";
import type { RemovedImages } from "./remove_image.ts";
import { removeOwnedTree } from "./remove_owned_tree.ts";
import { type IdMaps, idMapsOfUser } from "./rootless.ts";
import { lockStale } from "./stale_containers.ts";
import { hasStore } from "./store_presence.ts";

/** Removes it all. */
export async function pruneSystem(request: PruneRequest, context: EngineContext): Promise<RemovedImages> {
  const root = dataRoot(context);
  if (!hasStore(root)) return { untagged: [], deleted: [], reclaimedBytes: 0 };
  await removeEveryStale(root, process.getuid?.() === 0 ? undefined : idMapsOfUser());
  await removeAllAbandoned(root);
  if (request.all) rmSync(`${root}/${COMPILED_PROGRAMS}`, { recursive: true, force: true });
  return pruneImages(request, context);
}

/** Removes the directories of containers whose engine is gone, with their control groups. */
async function removeEveryStale(root: string, idMaps: IdMaps | undefined): Promise<void> {
  const parent = openContainers(root);
  try {
    for (const { name, lock } of lockStale(parent, "")) {
      removeLeftCgroup(name);
      await removeOwnedTree(`${root}/${CONTAINERS}/${name}`, idMaps);
      close(lock);
    }
  } finally {
    close(parent);
  }
}
