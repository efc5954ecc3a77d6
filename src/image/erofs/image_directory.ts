/** The directories of an image while it is made: they are written last, when everything in them has its place. */
import type { ByteString } from "../../fs/byte_string.ts";
import type { Timestamp } from "../tar/entry.ts";

/** One directory. */
export interface ImageDirectory {
  parent: ImageDirectory | undefined;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  /** Without overlayfs' own. */
  xattrs: ReadonlyMap<ByteString, ByteString>;
  opaque: boolean;
  /** Directories, and everything else as {@link packFile} makes it: a layer may have millions of files. */
  readonly entries: Map<ByteString, ImageDirectory | number>;
}

const NO_XATTRS: ReadonlyMap<ByteString, ByteString> = new Map();
const BEGINNING: Timestamp = { seconds: 0, nanoseconds: 0 };
const TYPES = 8;

/** A directory without names, of root. */
export function newImageDirectory(parent: ImageDirectory | undefined, mode: number): ImageDirectory {
  return {
    parent,
    mode,
    uid: 0,
    gid: 0,
    mtime: BEGINNING,
    xattrs: NO_XATTRS,
    opaque: false,
    entries: new Map(),
  };
}

/** Number of an inode and its type as one number. */
export const packFile = (nid: number, type: number): number => nid * TYPES + type;
export const nidOf = (packed: number): number => Math.floor(packed / TYPES);
export const typeOf = (packed: number): number => packed % TYPES;

/** All directories, each before those in it. */
export function* imageDirectories(root: ImageDirectory): Generator<ImageDirectory> {
  const pending = [root];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    yield directory;
    for (const entry of directory.entries.values()) if (typeof entry !== "number") pending.push(entry);
  }
}
