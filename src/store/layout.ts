/**
 * Where everything lies below the data root. Only names: nothing here touches the disk.
 *
 *   ROOT/oci-layout, index.json, blobs/sha256/HEX   a valid OCI image layout, readable by other tools
 *   ROOT/l/NAME                                     an unpacked layer, the directory that overlay is given
 *   ROOT/l/NAME.erofs                               the same as one file, which is mounted for overlay
 *   ROOT/l/NAME.wh                                  the same with the archive's own marks, where overlay's are refused
 *   ROOT/layers/NAME.json                           what that layer is (see layer_record.ts)
 *   ROOT/refs/REGISTRY/REPOSITORY/:TAG.json         one image record (see find_image.ts)
 *   ROOT/locks/KEY                                  files for flock(2); a layer's goes with the layer, a name's with its pull,
 *                                                   and what a failed or killed pull has left with the garbage
 *   ROOT/c/ID                                       a running container (engine/container_directory.ts)
 *   ROOT/mounts/KEY.json, ROOT/mounts/KEY           an image that is mounted (engine/image_mounts.ts)
 *   ROOT/tmp/ID, ROOT/tmp/ID.lock                   work in progress; garbage once its lock is free
 *
 * The layers' directory and names are short because all of an image's layers must fit into one page of
 * mount options when the kernel lacks `lowerdir+`: 127 layers of 28 bytes are 3.5 KiB.
 */
import { type Digest, digestHex } from "../oci/digest.ts";
import { IMAGE_SUFFIX } from "./find_image.ts";

/** Written to `ROOT/version`; another number is refused rather than guessed at. */
export const LAYOUT_VERSION = 1;

/** Hex digits of a digest in a layer's directory name: 96 bits, and the record holds the whole digest. */
const LAYER_NAME_DIGITS = 24;

/** Directories below the root with their modes: the top is closed, layers may be passed by mapped users. */
export const DIRECTORIES: ReadonlyArray<readonly [name: string, mode: number]> = [
  ["blobs", 0o700],
  ["blobs/sha256", 0o700],
  ["l", 0o711],
  ["layers", 0o700],
  ["refs", 0o700],
  ["locks", 0o700],
  ["tmp", 0o700],
  // Here already, so that an image can be removed when not one inode is left.
  ["c", 0o711],
];

/** Name of a layer that depends on nothing below it: `d` and digits of its diffID. */
export const diffLayerName = (diffId: Digest): string => `d${digits(diffId)}`;

/** Name of a layer that took something from the layers below it: `c` and digits of the chainID. */
export const chainLayerName = (chainId: Digest): string => `c${digits(chainId)}`;

/** Name of the same layer where it is a file. */
export const imageLayerName = (name: string): string => `${name}${IMAGE_SUFFIX}`;

/** Name of the same layer where files stand for whiteouts: both may be here, and in use by containers. */
export const markedLayerName = (name: string): string => `${name}.wh`;

/** Path of an unpacked layer, relative to the root: this is what image records list. */
export const layerDirectory = (name: string): string => `l/${name}`;

/** Name of the layer at a path, as records list it. */
export const layerNameAt = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Path of a layer's record, relative to the root. */
export const layerRecordPath = (name: string): string => `layers/${name}.json`;

function digits(digest: Digest): string {
  return digestHex(digest).slice(0, LAYER_NAME_DIGITS);
}
