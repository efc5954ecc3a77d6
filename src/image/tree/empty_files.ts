/** The tree of an image without layers: nothing but a root. */
import type { FileContent, LayerFiles, LayerNode } from "./layer_files.ts";

/** Shows a root directory as everybody would make it, and nothing in it. */
export class EmptyFiles implements LayerFiles {
  readonly root: LayerNode = {
    kind: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    rdev: { major: 0, minor: 0 },
    linkKey: undefined,
  };

  lookup(): undefined {
    return undefined;
  }

  list(): readonly string[] {
    return [];
  }

  readLink(): never {
    throw nothing();
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return new Map();
  }

  open(): FileContent {
    throw nothing();
  }

  isOpaque(): boolean {
    return false;
  }

  [Symbol.dispose](): void {
    // Nothing is open.
  }
}

const nothing = (): Error => new Error("Cannot happen: an empty tree has no such node");
