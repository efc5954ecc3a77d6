/** What each layer of a stack says of one path: who brings it, who replaces it, who takes it away. */
import type { ByteString } from "../../fs/byte_string.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";

/**
 * What becomes of what a layer says: it is `shown`; a directory is `merged` into the one above it; something above has
 * `replaced` it, or `removed` it; or it is itself what `removes`.
 */
export type TraceState = "shown" | "merged" | "replaced" | "removed" | "removes";

/** One layer's part. */
export interface TraceStep {
  /** Place in the stack; 0 is the top. */
  readonly layer: number;
  readonly state: TraceState;
  /** What lies there; undefined for what `removes` only. */
  readonly node: LayerNode | undefined;
  /** Of what `removes`: the path that it speaks of, which may lie above the one that was asked for. */
  readonly removedPath?: ByteString;
}

/**
 * Follows a path through all layers, from the top; a layer that has nothing to say is left out.
 * @param layers top first
 * @param path relative, without symlinks in front of its last name
 */
export function tracePath(layers: readonly LayerFiles[], path: ByteString): TraceStep[] {
  const steps: TraceStep[] = [];
  let above: "nothing" | "directory" | "replaced" | "removed" = "nothing";
  for (const [layer, files] of layers.entries()) {
    const { node, removedPath } = lookAt(files, path);
    if (node !== undefined) {
      steps.push({ layer, node, state: stateBelow(above, node) });
      if (above === "nothing" || above === "directory") {
        above = node.kind === "directory" ? "directory" : "replaced";
      }
    }
    if (removedPath === undefined) continue;
    // An opaque directory that is itself shown, or a whiteout: nothing below it counts.
    if (node === undefined) steps.push({ layer, node, state: "removes", removedPath });
    above = node === undefined ? "removed" : "replaced";
  }
  return steps;
}

function stateBelow(above: "nothing" | "directory" | "replaced" | "removed", node: LayerNode): TraceState {
  if (above === "nothing") return "shown";
  if (above === "directory") return node.kind === "directory" ? "merged" : "replaced";
  return above;
}

/** What one layer has at a path, and the path at or above it that it hides from below. */
function lookAt(
  files: LayerFiles,
  path: ByteString,
): { readonly node: LayerNode | undefined; readonly removedPath: ByteString | undefined } {
  const names = path === "" ? [] : path.split("/");
  let at: LayerNode = files.root;
  let removedPath = files.isOpaque(at) ? "" : undefined;
  for (const [depth, name] of names.entries()) {
    const here = names.slice(0, depth + 1).join("/");
    const found = files.lookup(at, name);
    if (found === undefined) return { node: undefined, removedPath };
    if (found.kind === "whiteout") return { node: undefined, removedPath: removedPath ?? here };
    const isLast = depth === names.length - 1;
    // A file where others have a directory: what they have in it is gone.
    if (found.kind !== "directory" && !isLast) return { node: undefined, removedPath: removedPath ?? here };
    if (found.kind === "directory" && files.isOpaque(found)) removedPath ??= here;
    at = found;
  }
  return { node: at, removedPath };
}
