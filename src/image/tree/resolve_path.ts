/** Finds what a path means in an image, as a process in it would: symlinks stay inside, ".." ends at the root. */
import type { ByteString } from "../../fs/byte_string.ts";
import type { LayerFiles, LayerNode } from "./layer_files.ts";

/** Most symlinks on one path, as in the kernel (MAXSYMLINKS). */
const SYMLINKS_MAX = 40;

/** Where a path leads. */
export interface ResolvedPath {
  /** Without symlinks in front of its last name; "" for the root. */
  readonly path: ByteString;
  /** Undefined when nothing is there, or something in front of the last name is no directory. */
  readonly node: LayerNode | undefined;
}

/**
 * Resolves a path.
 * @param path absolute or not: it starts at the root
 * @param followLast whether a symlink at the end is followed too; one before a "/" always is
 * @returns undefined when it goes through too many symlinks
 */
export function resolvePath(
  files: LayerFiles,
  path: ByteString,
  { followLast }: { readonly followLast: boolean },
): ResolvedPath | undefined {
  const rest = path.split("/").reverse();
  const above: Array<readonly [name: ByteString, node: LayerNode]> = [];
  let symlinks = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    const directory = above.at(-1)?.[1] ?? files.root;
    if (directory.kind === "directory" && (name === "" || name === ".")) continue;
    if (directory.kind === "directory" && name === "..") {
      above.pop();
      continue;
    }
    const node = directory.kind === "directory" ? files.lookup(directory, name) : undefined;
    if (node === undefined) return { path: pathTo(above, [name, ...rest.toReversed()]), node: undefined };
    if (node.kind !== "symlink" || (rest.length === 0 && !followLast)) {
      above.push([name, node]);
      continue;
    }
    symlinks += 1;
    if (symlinks > SYMLINKS_MAX) return undefined;
    const target = files.readLink(node);
    if (target.startsWith("/")) above.length = 0;
    rest.push(...target.split("/").reverse());
  }
  return { path: pathTo(above, []), node: above.at(-1)?.[1] ?? files.root };
}

function pathTo(
  above: ReadonlyArray<readonly [name: ByteString, node: LayerNode]>,
  rest: readonly ByteString[],
): ByteString {
  const left = rest.filter((name) => name !== "" && name !== ".");
  return [...above.map(([name]) => name), ...left].join("/");
}
