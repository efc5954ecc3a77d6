/** `system df`: what takes how much space, and how much of it could be had back. */
import { readdirSync, statSync } from "node:fs";
import { sizeOfTree } from "../fs/tree_size.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import type { Digest } from "../oci/digest.ts";
import { listImages } from "../store/images.ts";
import { readLayerRecord } from "../store/layers.ts";
import { markImages } from "../store/marks.ts";
import { CONTAINERS } from "./container_directory.ts";
import type { EngineContext } from "./context.ts";
import { COMPILED_PROGRAMS, dataRoot } from "./directories.ts";
import { type ImageUser, lookAtUsers } from "./image_users.ts";
import { hasStore } from "./store_presence.ts";

/** One kind of thing; blobs are compressed layers, manifests and configurations. */
export interface DiskUsage {
  readonly type: "Images" | "Blobs" | "Containers" | "Compiled Programs";
  readonly total: number;
  /** How many are needed: by a running container or a mount, or for blobs by an image. */
  readonly active: number;
  readonly sizeBytes: number;
  /** Bytes of what is not needed: `system prune -a` gives them back. */
  readonly reclaimableBytes: number;
}

/** Measures everything below the data root. */
export async function diskUsage(context: EngineContext): Promise<DiskUsage[]> {
  const root = dataRoot(context);
  const users = hasStore(root) ? lookAtUsers(root) : [];
  return [
    usageOfImages(root, users),
    usageOfBlobs(root),
    usageOfContainers(root, users.filter(({ container }) => container !== undefined).length),
    usageOfPrograms(root),
  ];
}

function usageOfImages(root: string, users: readonly ImageUser[]): DiskUsage {
  const ids = new Set(listImages(root).map(({ imageId }) => String(imageId)));
  const used = new Set(users.map(({ imageId }) => imageId as string).filter((id) => ids.has(id)));
  const needed = new Set(users.flatMap(({ layers }) => layers));
  let [sizeBytes, reclaimableBytes] = [0, 0];
  for (const name of namesOf(`${root}/l`)) {
    const size = readLayerRecord(root, name)?.sizeBytes ?? 0;
    sizeBytes += size;
    if (!needed.has(`l/${name}`)) reclaimableBytes += size;
  }
  return { type: "Images", total: ids.size, active: used.size, sizeBytes, reclaimableBytes };
}

function usageOfBlobs(root: string): DiskUsage {
  const marks = markImages(root, listImages(root));
  const blobs = namesOf(`${root}/blobs/sha256`).map((name) => ({
    isMarked: marks.blobs.has(`sha256:${name}` as Digest),
    size: statSync(`${root}/blobs/sha256/${name}`, { throwIfNoEntry: false })?.size ?? 0,
  }));
  const marked = blobs.filter(({ isMarked }) => isMarked);
  const sum = (sizes: readonly { readonly size: number }[]) =>
    sizes.reduce((total, { size }) => total + size, 0);
  return {
    type: "Blobs",
    total: blobs.length,
    active: marked.length,
    sizeBytes: sum(blobs),
    reclaimableBytes: sum(blobs) - sum(marked),
  };
}

function usageOfContainers(root: string, active: number): DiskUsage {
  const { sizeBytes } = sizeOfTree({ dirfd: AT_FDCWD, path: `${root}/${CONTAINERS}` });
  const total = namesOf(`${root}/${CONTAINERS}`).length;
  return { type: "Containers", total, active, sizeBytes, reclaimableBytes: active === 0 ? sizeBytes : 0 };
}

function usageOfPrograms(root: string): DiskUsage {
  const { sizeBytes, entries } = sizeOfTree({ dirfd: AT_FDCWD, path: `${root}/${COMPILED_PROGRAMS}` });
  return { type: "Compiled Programs", total: entries, active: 0, sizeBytes, reclaimableBytes: sizeBytes };
}

function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
