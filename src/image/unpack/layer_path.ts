/**
 * Names in a layer: made relative to the layer's root, and told apart from whiteouts (image-spec,
 * layer.md#whiteouts).
 */

import type { ByteString } from "../../fs/byte_string.ts";
import { OPAQUE_FILE, WHITEOUT_FILE } from "../../oci/whiteout.ts";
import { LayerError } from "./layer_error.ts";

/** What an entry's last component means. */
export type EntryName =
  | { readonly kind: "root" }
  /** Book-keeping of AUFS: nothing is to be done. */
  | { readonly kind: "ignored" }
  /** A file that AUFS kept for names elsewhere to be links of: no name of the layer. */
  | { readonly kind: "link source"; readonly parent: ByteString; readonly name: ByteString }
  | { readonly kind: "plain"; readonly parent: ByteString; readonly name: ByteString }
  /** `.wh.NAME`: the layers below lose NAME. */
  | { readonly kind: "whiteout"; readonly parent: ByteString; readonly name: ByteString }
  /** `.wh..wh..opq`: the layers below lose everything in `parent`. */
  | { readonly kind: "opaque"; readonly parent: ByteString };

const AUFS = ".wh..wh.";
/** Directory in the root that holds the link sources. */
export const AUFS_LINKS = ".wh..wh.plnk";

/**
 * Makes a path, of an entry or of its link target, relative to the layer's root: no leading "/", no empty components, no ".", "..".
 * @param entry path of the entry, for messages
 * @throws {LayerError} when ".." leads above the root; a symlink that does is harmless and found elsewhere
 */
export function cleanPath(path: ByteString, entry: ByteString): ByteString {
  // Almost every name is clean but for a "./" in front or a "/" behind.
  const start = path.startsWith("./") ? 2 : 0;
  const end = path.endsWith("/") ? path.length - 1 : path.length;
  const inner = path.slice(start, end);
  if (inner !== "" && !/(?:^|\/)(?:\.{0,2})(?:\/|$)/.test(inner)) return inner;
  const clean: ByteString[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") clean.push(name);
    else if (clean.pop() === undefined) {
      throw new LayerError(
        entry,
        `${path === entry ? "its path" : "its link target"} leads out of the layer`,
      );
    }
  }
  return clean.join("/");
}

/** @throws {LayerError} for a path out of the layer, and a whiteout of nothing, "." or ".." */
export function parseEntryName(path: ByteString): EntryName {
  const clean = cleanPath(path, path);
  if (clean === "") return { kind: "root" };
  const slash = clean.lastIndexOf("/");
  const parent = slash < 0 ? "" : clean.slice(0, slash);
  const name = clean.slice(slash + 1);
  if (!clean.includes(WHITEOUT_FILE)) return { kind: "plain", parent, name };
  if (parent === AUFS_LINKS) return { kind: "link source", parent, name };
  if (parent.startsWith(AUFS) || parent.includes(`/${AUFS}`)) return { kind: "ignored" };
  if (name === OPAQUE_FILE) return { kind: "opaque", parent };
  if (name.startsWith(AUFS)) return { kind: "ignored" };
  if (!name.startsWith(WHITEOUT_FILE)) return { kind: "plain", parent, name };
  const hidden = name.slice(WHITEOUT_FILE.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new LayerError(path, "it is a whiteout of a directory itself");
  }
  return { kind: "whiteout", parent, name: hidden };
}
