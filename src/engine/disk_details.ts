/** `system df -v`: what each image, layer and container takes, and what the disk has left. */
import { dirname } from "node:path";
import { type DiskRoom, diskRoom } from "../fs/disk_room.ts";
import { sizeOfTree } from "../fs/tree_size.ts";
import { AT_FDCWD } from "../linux/abi/fcntl.ts";
import { listImages } from "../store/images.ts";
import { listLayers } from "../store/layers.ts";
import { layerDirectory } from "../store/layout.ts";
import { CONTAINERS } from "./container_directory.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { type ImageUser, lookAtUsers } from "./image_users.ts";
import { summariseImage } from "./images.ts";
import { hasStore } from "./store_presence.ts";
import type { ImageSummary } from "./summary.ts";

/** One name of an image with what it takes. */
export interface ImageUsage extends ImageSummary {
  /** Bytes of layers that other images have too. */
  readonly sharedBytes: number;
  /** Bytes of layers that no other image has. */
  readonly uniqueBytes: number;
  /** Running containers. */
  readonly containers: number;
}

/** One unpacked layer. */
export interface LayerUsage {
  readonly diffId: string;
  readonly sizeBytes: number;
  /** Entries of its archive. */
  readonly entries: number;
  /** How many images have it. */
  readonly images: number;
}

/** One running container. */
export interface ContainerUsage {
  readonly id: string;
  readonly imageId: string;
  /** Bytes that it has written. */
  readonly sizeBytes: number;
}

/** Everything in detail. */
export interface DiskDetails {
  readonly images: readonly ImageUsage[];
  readonly layers: readonly LayerUsage[];
  readonly containers: readonly ContainerUsage[];
}

/** Measures everything below the data root. */
export async function diskDetails(context: EngineContext): Promise<DiskDetails> {
  const root = dataRoot(context);
  const users = hasStore(root) ? lookAtUsers(root) : [];
  const layers = listLayers(root);
  const sizes = new Map(layers.map(({ name, record }) => [layerDirectory(name), record.sizeBytes]));
  const images = listImages(root);
  const owners = ownersOf(images);
  return {
    images: images.map((image) => {
      const own = image.layers.filter((layer) => owners.get(layer)?.size === 1);
      const uniqueBytes = own.reduce((sum, layer) => sum + (sizes.get(layer) ?? 0), 0);
      return {
        ...summariseImage(image),
        sharedBytes: Math.max(0, image.sizeBytes - uniqueBytes),
        uniqueBytes,
        containers: users.filter(
          ({ container, imageId }) => container !== undefined && imageId === image.imageId,
        ).length,
      };
    }),
    layers: layers.map(({ name, record: { diffId, sizeBytes, entries } }) => ({
      diffId,
      sizeBytes,
      entries,
      images: owners.get(layerDirectory(name))?.size ?? 0,
    })),
    containers: users.flatMap((user) => usageOf(root, user)),
  };
}

/** Ids of the images that have each layer. */
function ownersOf(images: ReturnType<typeof listImages>): ReadonlyMap<string, ReadonlySet<string>> {
  const owners = new Map<string, Set<string>>();
  for (const { imageId, layers } of images) {
    for (const layer of layers) owners.set(layer, (owners.get(layer) ?? new Set()).add(imageId));
  }
  return owners;
}

function usageOf(root: string, { container, imageId }: ImageUser): ContainerUsage[] {
  if (container === undefined) return [];
  const path = `${root}/${CONTAINERS}/${container}/rw`;
  return [{ id: container, imageId, sizeBytes: sizeOfTree({ dirfd: AT_FDCWD, path }).sizeBytes }];
}

/** What may still be written to the data root, or where it would be made. */
export function dataRoom(context: EngineContext): DiskRoom | undefined {
  let place = dataRoot(context);
  for (;;) {
    const room = diskRoom(place);
    if (room !== undefined || place === "/") return room;
    place = dirname(place);
  }
}
