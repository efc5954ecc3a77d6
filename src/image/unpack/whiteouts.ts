/**
 * Whiteouts of a layer, from the archive's form into that of overlayfs. They speak of the layers below only: nothing
 * that this layer itself holds is removed, whatever the order (image-spec, layer.md#whiteouts).
 */
import { type ByteString, cBytes } from "../../fs/byte_string.ts";
import { O_CREAT, O_DIRECTORY, O_RDONLY, O_WRONLY, S_IFCHR } from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import { close, Fd, mknodat, openat } from "../../linux/file.ts";
import type { Attributes } from "./attributes.ts";
import type { LayerDirectory } from "./layer_directory.ts";
import { type DirectoryNode, isAttached } from "./layer_tree.ts";
import type { UnpackOptions } from "./options.ts";

const EEXIST = 17;
const WHITEOUT_FILE = ".wh.";
const OPAQUE_FILE = ".wh..wh..opq";

/** Writes the whiteouts of one layer. */
export class Whiteouts {
  readonly #directory: LayerDirectory;
  readonly #attributes: Attributes;
  readonly #form: UnpackOptions["whiteouts"];
  readonly #made: Array<{ readonly parent: DirectoryNode; readonly name: ByteString }> = [];

  constructor(directory: LayerDirectory, attributes: Attributes, form: UnpackOptions["whiteouts"]) {
    this.#directory = directory;
    this.#attributes = attributes;
    this.#form = form;
  }

  /** Hides `name` of the layers below. */
  hide(parent: DirectoryNode, name: ByteString): void {
    const known = parent.children.get(name);
    if (known?.kind === "directory") this.hideAll(known);
    else if (known === undefined) this.#create(parent, name);
  }

  /** Hides everything that the layers below have in `node`. */
  hideAll(node: DirectoryNode): void {
    if (node.opaque) return;
    node.opaque = true;
    if (this.#form === "files") {
      const how = { flags: O_WRONLY | O_CREAT, mode: 0o600 };
      close(openat(this.#directory.open(node), cBytes(OPAQUE_FILE), how));
      return;
    }
    using directory = new Fd(openat(this.#directory.open(node), ".", { flags: O_RDONLY | O_DIRECTORY }));
    this.#attributes.setOpaque(directory.number);
  }

  /** Removes whiteouts in opaque directories: readdir(3) of an overlay would show them as files. */
  removeHidden(): void {
    for (const { parent, name } of this.#made) {
      const isPresent = isAttached(parent) && parent.children.get(name)?.kind === "whiteout";
      if (isPresent && isInOpaque(parent)) this.#directory.remove(parent, name);
    }
  }

  #create(parent: DirectoryNode, name: ByteString): void {
    const dirfd = this.#directory.open(parent);
    if (this.#form === "files") {
      close(openat(dirfd, cBytes(`${WHITEOUT_FILE}${name}`), { flags: O_WRONLY | O_CREAT, mode: 0o600 }));
      return;
    }
    try {
      mknodat(dirfd, cBytes(name), { mode: S_IFCHR });
    } catch (error) {
      // A file of this layer has the name: it hides what lies below by itself.
      if (error instanceof SyscallError && error.errno === EEXIST) return;
      throw error;
    }
    parent.children.set(name, { kind: "whiteout" });
    this.#made.push({ parent, name });
  }
}

function isInOpaque(node: DirectoryNode): boolean {
  for (let at: DirectoryNode | undefined = node; at !== undefined; at = at.parent) if (at.opaque) return true;
  return false;
}
