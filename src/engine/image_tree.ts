/** `image tree`: how local images grow from shared layers. */
import { familiarName, familiarReference, parseReference } from "../oci/reference.ts";
import type { StoredImage } from "../store/find_image.ts";
import { listImages } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { type ImageLayer, layersOf } from "./image_layers.ts";
import { getLocalImage } from "./local_image.ts";

/** One layer above those that it stands on, with everything that stands on it. */
export interface TreeLayer {
  readonly diffId: string;
  readonly chainId: string;
  /** Bytes of the unpacked layer. */
  readonly sizeBytes: number;
  /** The command that made it; empty when that is not known. */
  readonly createdBy: string;
  /** Images whose top it is. */
  readonly images: readonly TreeImage[];
  readonly above: readonly TreeLayer[];
}

/** An image of the tree. */
export interface TreeImage {
  readonly id: string;
  /** As a person would write them; one of a moved tag is `REPOSITORY@DIGEST`. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
  /** Bytes of layers that no other image has. */
  readonly ownBytes: number;
}

/** The lowest layers of all images, with what stands on them; images without a layer stand under none. */
export interface ImageTree {
  readonly layers: readonly TreeLayer[];
  readonly empty: readonly TreeImage[];
}

/** The tree of all images, or of one alone. @throws {NoSuchImageError} {ImageDamagedError} */
export async function imageTree(word: string | undefined, context: EngineContext): Promise<ImageTree> {
  const root = dataRoot(context);
  const all = listImages(root);
  const only = word === undefined ? undefined : getLocalImage(root, word).imageId;
  const stacks = new Map(all.map((image) => [image.imageId as string, layersOf(root, image)]));
  const users = usersOf(stacks);
  const builder = new TreeBuilder();
  for (const [id, layers] of stacks) {
    if (only !== undefined && id !== only) continue;
    const own = layers.filter(({ chainId }) => users.get(chainId) === 1);
    builder.add(layers, { id, names: namesOf(all, id), sizeBytes: sumOf(layers), ownBytes: sumOf(own) });
  }
  return builder.tree;
}

/** How many images have each layer at its place. */
function usersOf(stacks: ReadonlyMap<string, readonly ImageLayer[]>): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  for (const layers of stacks.values()) {
    for (const { chainId } of layers) users.set(chainId, (users.get(chainId) ?? 0) + 1);
  }
  return users;
}

const sumOf = (layers: readonly ImageLayer[]): number =>
  layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

function namesOf(all: readonly StoredImage[], id: string): string[] {
  const references = all
    .filter(({ imageId }) => imageId === id)
    .map(({ reference, targetDigest }) => {
      const parsed = parseReference(reference);
      return parsed.digest === undefined
        ? familiarReference(parsed)
        : `${familiarName(parsed)}@${targetDigest}`;
    });
  return [...new Set(references)].sort();
}

interface GrowingLayer extends TreeLayer {
  readonly images: TreeImage[];
  readonly above: GrowingLayer[];
}

class TreeBuilder {
  readonly tree: { readonly layers: GrowingLayer[]; readonly empty: TreeImage[] } = { layers: [], empty: [] };

  add(layers: readonly ImageLayer[], image: TreeImage): void {
    let level = this.tree.layers;
    let top: GrowingLayer | undefined;
    for (const { diffId, chainId, sizeBytes, step } of layers) {
      top = level.find((layer) => layer.chainId === chainId);
      if (top === undefined) {
        top = { diffId, chainId, sizeBytes, createdBy: step?.createdBy ?? "", images: [], above: [] };
        level.push(top);
      }
      level = top.above;
    }
    (top === undefined ? this.tree.empty : top.images).push(image);
  }
}
