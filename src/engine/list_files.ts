/** `image ls IMAGE PATH`: what lies at a path of an image. */
import type { ByteString } from "../fs/byte_string.ts";
import type { LayerFiles, LayerNode } from "../image/tree/layer_files.ts";
import { originOfNode } from "../image/tree/merged_files.ts";
import type { StoredImage } from "../store/find_image.ts";
import { layersOf } from "./image_layers.ts";
import { openMergedLayers } from "./merged_layers.ts";
import { NoSuchPathError, resolve, type ViewQuestion } from "./view_layers.ts";

/** One file of an image. Names are bytes as latin1 text: not every name is UTF-8. */
export interface ImageFile {
  /** Without a "/" in front; "" for the root. */
  readonly path: string;
  readonly type: LayerNode["kind"];
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the content; of a symlink's target. */
  readonly size: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  /** Of a symlink: bytes as latin1 text. */
  readonly target?: string;
  /** Of a device. */
  readonly rdev?: { readonly major: number; readonly minor: number };
  /** DiffID of the layer that it comes from. */
  readonly layer: string;
}

/** Answers the question. The first answer is the path itself. */
export function listFiles(root: string, image: StoredImage, question: ViewQuestion): ImageFile[] {
  const diffIds = layersOf(root, image)
    .filter(({ path }) => path !== undefined)
    .map(({ diffId }) => diffId)
    .toReversed();
  using files = openMergedLayers(root, image.layers);
  const { path, node } = resolve(files, question);
  if (node === undefined) throw new NoSuchPathError(question.path);
  const found: ImageFile[] = [];
  const pending: Array<readonly [ByteString, LayerNode]> = [[path, node]];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const [here, each] = at;
    found.push(describeFile(files, { path: here, node: each, diffIds }));
    if (each.kind !== "directory" || (here !== path && !question.isRecursive)) continue;
    for (const name of files.list(each).toReversed()) {
      const child = files.lookup(each, name);
      if (child !== undefined) pending.push([here === "" ? name : `${here}/${name}`, child]);
    }
  }
  return found;
}

interface Place {
  readonly path: ByteString;
  readonly node: LayerNode;
  /** Of the layers, top first. */
  readonly diffIds: readonly string[];
}

function describeFile(files: LayerFiles, { path, node, diffIds }: Place): ImageFile {
  const { kind, mode, uid, gid, size, mtime, rdev } = node;
  const isDevice = kind === "character" || kind === "block";
  return {
    path,
    type: kind,
    mode,
    uid,
    gid,
    size: kind === "file" || kind === "symlink" ? size : 0,
    mtime: { seconds: mtime.seconds, nanoseconds: mtime.nanoseconds },
    ...(kind === "symlink" ? { target: files.readLink(node) } : {}),
    ...(isDevice ? { rdev } : {}),
    layer: diffIds[originOfNode(node).layer] ?? "",
  };
}
