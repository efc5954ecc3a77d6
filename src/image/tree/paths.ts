/** Paths below the root of a layer, as bytes; "" is the root. */
import type { ByteString } from "../../fs/byte_string.ts";

/** Path of the directory that a path lies in. */
export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Last component of a path. */
export const nameOf = (path: ByteString): ByteString => path.slice(path.lastIndexOf("/") + 1);

/** A name in a directory, where both may be the root. */
export const joinPath = (directory: ByteString, name: ByteString): ByteString =>
  directory === "" ? name : `${directory}/${name}`;
