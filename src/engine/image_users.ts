/** Who uses images of the store: containers that run, and mounts. What they use stays. */
import { exists } from "../linux/small_file.ts";
import type { Digest } from "../oci/digest.ts";
import { CONTAINERS } from "./container_directory.ts";
import { type ContainerUses, holdContainers } from "./container_uses.ts";
import { healMounts, type ImageMount, listMounts } from "./image_mounts.ts";

/** One that uses an image. */
export interface ImageUser {
  readonly imageId: Digest;
  readonly manifestDigest: Digest;
  /** Relative to the data root. */
  readonly layers: readonly string[];
  /** Its id, when it is a container. */
  readonly container?: string;
  /** Why the image cannot go, e.g. `the running container 0123456789ab uses it`. */
  readonly reason: string;
  /** What to do about it. */
  readonly hint: string;
}

/** Nobody starts to use anything until this is disposed of. */
export interface ImageUsers extends Disposable {
  readonly users: readonly ImageUser[];
}

/** Looks at all users and keeps new containers waiting. The caller holds the lock of the images, as `image mount` does. */
export function holdUsers(root: string): ImageUsers {
  const held = holdContainers(root);
  return { users: usersOf(held, healMounts(root)), [Symbol.dispose]: () => held[Symbol.dispose]() };
}

/** Looks at all users, and lets go at once: for telling only. */
export function lookAtUsers(root: string): readonly ImageUser[] {
  const mounts = listMounts(root);
  // It would be made, and nothing is to be changed here.
  if (!exists(`${root}/${CONTAINERS}`)) return usersOf({ containers: [] }, mounts);
  using held = holdContainers(root);
  return usersOf(held, mounts);
}

function usersOf(
  { containers }: Pick<ContainerUses, "containers">,
  mounts: readonly ImageMount[],
): ImageUser[] {
  return [
    ...containers.map(({ id, imageId, manifestDigest, layers }) => ({
      imageId,
      manifestDigest,
      layers,
      container: id,
      reason: `the running container ${id} uses it`,
      hint: "Wait until that container has ended, or end it",
    })),
    ...mounts.map(({ imageId, manifestDigest, layers, target }) => ({
      imageId,
      manifestDigest,
      layers,
      reason: `it is mounted at "${target}"`,
      hint: `Unmount it with bunker image unmount ${target}`,
    })),
  ];
}
