/** `image mount` and `image unmount`: an image's files at a directory of the host, read-only, for ordinary programs. */
import { randomBytes } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { BunkerError, UsageError } from "../errors.ts";
import { mountOverlay } from "../fs/overlay_mount.ts";
import { EBUSY } from "../linux/abi/errno.ts";
import { call, cstr, SyscallError } from "../linux/call.ts";
import { familiarReference, parseReference } from "../oci/reference.ts";
import { isImagePath, type StoredImage } from "../store/find_image.ts";
import { lockImages } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { ImageGoneError } from "./image_gone.ts";
import {
  healMounts,
  type ImageMount,
  listMounts,
  ownTarget,
  removeMountRecord,
  sourceOf,
  writeMountRecord,
} from "./image_mounts.ts";
import { getLocalImage, NoSuchImageError } from "./local_image.ts";
import { hasStore } from "./store_presence.ts";

const KEY_BYTES = 6;
/** umount2(2): a symlink at the path is not followed. */
const UMOUNT_NOFOLLOW = 8;
/** The lowest layer, since overlayfs wants two: nothing shows of it. */
const EMPTY = "mounts/empty";
/** For what is gone when a command ends. */
const WORK = "tmp";

/** An image cannot be mounted or unmounted. */
export class ImageMountError extends BunkerError {
  readonly code = "IMAGE_MOUNT";
}

/** A mounted image. */
export interface MountedImage {
  readonly id: string;
  /** The name that it was mounted by, as a person would write it. */
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
}

/** Images that are mounted. */
export async function listMountedImages(context: EngineContext): Promise<MountedImage[]> {
  return listMounts(dataRoot(context)).map(describe);
}

/**
 * Mounts an image; it is in use until it is unmounted.
 * @param directory an existing one; undefined: one below the data root, and an image that is mounted at one stays there
 * @throws {NoSuchImageError} {ImageMountError} {ImageGoneError}
 */
export async function mountImage(
  word: string,
  directory: string | undefined,
  context: EngineContext,
): Promise<MountedImage> {
  if (process.getuid?.() !== 0) {
    throw new ImageMountError(`Cannot mount image "${word}": only root mounts where other programs see it`, {
      hint: "Look at it with bunker image ls, or copy it out with bunker export",
    });
  }
  const root = dataRoot(context);
  if (!hasStore(root)) throw new NoSuchImageError(word);
  using _ = await lockImages(root);
  const image = getLocalImage(root, word);
  const known = healMounts(root).find(
    ({ key, imageId, target }) => imageId === image.imageId && target === ownTarget(root, key),
  );
  if (directory === undefined && known !== undefined) return describe(known);
  refuseForm(word, image);
  return describe(await mount(root, image, directory));
}

/**
 * Unmounts images.
 * @param word a name or id of an image, which is unmounted everywhere, or the directory of a mount
 * @throws {NoSuchImageError} {ImageMountError} when it is not mounted, or somebody is in it
 */
export async function unmountImage(word: string, context: EngineContext): Promise<MountedImage[]> {
  const root = dataRoot(context);
  if (!hasStore(root)) throw new NoSuchImageError(word);
  using _ = await lockImages(root);
  const mounts = healMounts(root);
  const meant = word.startsWith("/")
    ? mounts.filter(({ target }) => target === word.replace(/(?<=.)\/+$/, ""))
    : mounts.filter(({ imageId }) => imageId === getLocalImage(root, word).imageId);
  if (meant.length === 0) {
    const where = word.startsWith("/") ? "no image is mounted there" : "it is not mounted";
    throw new ImageMountError(`Cannot unmount "${word}": ${where}`, {
      hint: "See what is mounted with bunker image mount",
    });
  }
  for (const each of meant) unmount(root, each);
  return meant.map(describe);
}

/** Unmounts all images. @throws {ImageMountError} when somebody is in one */
export async function unmountAllImages(context: EngineContext): Promise<MountedImage[]> {
  const root = dataRoot(context);
  if (!hasStore(root)) return [];
  using _ = await lockImages(root);
  const mounts = healMounts(root);
  for (const each of mounts) unmount(root, each);
  return mounts.map(describe);
}

function refuseForm(word: string, { overlayXattrs }: StoredImage): void {
  if (overlayXattrs !== "files") return;
  throw new ImageMountError(
    `Cannot mount image "${word}": overlayfs cannot read layers on this file system`,
    {
      hint: "Look at it with bunker image ls, or copy it out with bunker export",
    },
  );
}

async function mount(root: string, image: StoredImage, directory: string | undefined): Promise<ImageMount> {
  const key = randomBytes(KEY_BYTES).toString("hex");
  const target = directory === undefined ? ownTarget(root, key) : realDirectory(directory);
  const { imageId, manifestDigest, reference, layers } = image;
  const record = { key, imageId, manifestDigest, reference, layers, target };
  writeMountRecord(root, record);
  try {
    if (directory === undefined) mkdirSync(target, { mode: 0o755 });
    mkdirSync(`${root}/${EMPTY}`, { recursive: true, mode: 0o755 });
    const stack = [...layers.toReversed(), EMPTY];
    if (stack.some(isImagePath)) {
      const { mountImageOverlay } = await import("../image/erofs/image_overlay.ts");
      const programFile = `${root}/${WORK}/program-${key}`;
      await mountImageOverlay({ root, layers: stack, source: sourceOf(key), programFile }, target);
    } else {
      const paths = stack.map((layer) => `${root}/${layer}`);
      const userxattr = image.overlayXattrs === "user";
      mountOverlay({ layers: paths, userxattr, source: sourceOf(key) }, target);
    }
    return record;
  } catch (cause) {
    removeMountRecord(root, key);
    if (cause instanceof SyscallError && cause.code === "ENOENT") throw new ImageGoneError();
    throw new ImageMountError(`Cannot mount image "${image.reference}" at "${target}"`, {
      cause,
      hint: "See what the machine allows with bunker info",
    });
  }
}

function realDirectory(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    throw new UsageError(`Cannot mount at ${JSON.stringify(directory)}: there is no such directory`, {
      hint: "Make it, or leave it out to have one made",
    });
  }
}

function unmount(root: string, { key, target }: ImageMount): void {
  try {
    call("umount2", cstr(target), UMOUNT_NOFOLLOW);
  } catch (cause) {
    const isBusy = cause instanceof SyscallError && cause.errno === EBUSY;
    throw new ImageMountError(`Cannot unmount "${target}"${isBusy ? ": a program is in it" : ""}`, {
      cause,
      ...(isBusy ? { hint: `Find it with fuser -m ${target}, and end it` } : {}),
    });
  }
  // It may be mounted at a second place, by mount --bind: then the image is still in use.
  if (!listMounts(root).some((other) => other.key === key)) removeMountRecord(root, key);
}

const describe = ({ imageId, reference, target }: ImageMount): MountedImage => ({
  id: imageId,
  name: familiarReference(parseReference(reference)),
  path: target,
});
