/**
 * Changes an image that was just written: its directories are taken into memory, and written anew behind the files. What
 * a directory says costs no writing until then.
 */

import type { ByteString } from "../../fs/byte_string.ts";
import { ENOENT } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_NOFOLLOW, O_RDWR } from "../../linux/abi/fcntl.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, makedev, openat } from "../../linux/file.ts";
import type { LayerNodeKind } from "../tree/layer_files.ts";
import { typeBitsOf } from "../tree/node_kinds.ts";
import { nameOf, parentOf } from "../tree/paths.ts";
import { contentOf, type LayerSource } from "../tree/write_node.ts";
import { clampTime } from "../unpack/attributes.ts";
import type { LayerEditor } from "../unpack/layer_editor.ts";
import { writeDirectories } from "./directory_writer.ts";
import { ErofsFiles } from "./erofs_files.ts";
import { FileWriter } from "./file_writer.ts";
import { FILE_TYPE } from "./format.ts";
import {
  type ImageDirectory,
  imageDirectories,
  newImageDirectory,
  nidOf,
  packFile,
} from "./image_directory.ts";
import { ImageOutput } from "./image_output.ts";
import { loadDirectories } from "./load_directories.ts";
import { encodeXattrs } from "./xattr_body.ts";

/** What was written since: the file cannot be asked for it before all is flushed. */
interface Added {
  readonly kind: LayerNodeKind;
  readonly target: ByteString;
}

/** The file of one layer, open for changes. */
export class ImageEditor implements LayerEditor {
  readonly #fd: Fd;
  readonly #files: ErofsFiles;
  readonly #root: ImageDirectory;
  readonly #output: ImageOutput;
  readonly #writer: FileWriter;
  readonly #added = new Map<number, Added>();
  /** Inodes whose names came or went. */
  readonly #linked = new Set<number>();
  /** Inodes of files before. */
  readonly #inodes: number;

  /** @param path absolute; one that is disposed of before {@link finish} is left damaged */
  constructor(path: string) {
    using stack = new DisposableStack();
    this.#fd = stack.use(new Fd(openat(AT_FDCWD, path, { flags: O_RDWR | O_NOFOLLOW })));
    this.#files = stack.use(new ErofsFiles(path));
    const { root, count, end } = loadDirectories(this.#files);
    const { inodes, uuid } = this.#files.reader.superBlock;
    this.#root = root;
    this.#inodes = inodes - count;
    this.#output = new ImageOutput(this.#fd.number, end, new BigUint64Array(uuid.slice().buffer)[0]);
    this.#writer = new FileWriter(this.#output);
    stack.move();
  }

  kindOf(path: ByteString): LayerNodeKind | undefined {
    const entry = path === "" ? this.#root : this.#find(parentOf(path))?.entries.get(nameOf(path));
    if (entry === undefined) return undefined;
    if (typeof entry !== "number") return "directory";
    return this.#added.get(entry)?.kind ?? this.#files.reader.node(nidOf(entry)).kind;
  }

  isMark(path: ByteString): boolean {
    return this.kindOf(path) === "whiteout";
  }

  readLink(path: ByteString): ByteString {
    const entry = this.#get(parentOf(path)).entries.get(nameOf(path));
    if (typeof entry !== "number") throw refusal("readlinkat", path);
    return this.#added.get(entry)?.target ?? this.#files.readLink(this.#files.reader.node(nidOf(entry)));
  }

  list(directory: ByteString): readonly ByteString[] {
    return [...this.#get(directory).entries.keys()];
  }

  describe(directory: ByteString, source: LayerSource): void {
    Object.assign(this.#get(directory), attributesOf(source));
  }

  describeAs(directory: ByteString, model: ByteString): void {
    const { mode, uid, gid, mtime, xattrs } = this.#get(model);
    Object.assign(this.#get(directory), { mode, uid, gid, mtime, xattrs });
  }

  isOpaque(directory: ByteString): boolean {
    return this.#get(directory).opaque;
  }

  markOpaque(directory: ByteString): void {
    this.#get(directory).opaque = true;
  }

  makeDirectory(path: ByteString, source: LayerSource): void {
    const parent = this.#get(parentOf(path));
    const directory = newImageDirectory(parent, 0);
    parent.entries.set(nameOf(path), Object.assign(directory, attributesOf(source)));
  }

  copyFile(path: ByteString, { files, node }: LayerSource): boolean {
    const { kind, rdev } = node;
    if (kind === "socket" || kind === "whiteout" || kind === "directory") return false;
    const typeBits = typeBitsOf(kind);
    const target = kind === "symlink" ? files.readLink(node) : "";
    const { mode, uid, gid, mtime, xattrs } = attributesOf({ files, node });
    const owner = kind === "file" || kind === "symlink" ? kind : "other";
    const nid = this.#writer.begin({
      mode: typeBits | mode,
      uid,
      gid,
      mtime,
      size: kind === "file" ? node.size : target.length,
      device: owner === "other" ? makedev(rdev.major, rdev.minor) : 0,
      xattrs: encodeXattrs(xattrs, owner).bytes,
    });
    if (kind === "file") {
      using content = files.open(node);
      for (const { bytes, position } of contentOf(content)) this.#writer.write(bytes, position);
    } else {
      this.#writer.write(Buffer.from(target, "latin1"), 0);
    }
    this.#writer.finish();
    const packed = packFile(nid, FILE_TYPE[typeBits >> 12] ?? 0);
    this.#added.set(packed, { kind, target });
    this.#get(parentOf(path)).entries.set(nameOf(path), packed);
    return true;
  }

  link(from: ByteString, to: ByteString): void {
    const source = this.#get(parentOf(from)).entries.get(nameOf(from));
    if (typeof source !== "number") throw refusal("linkat", from);
    const { entries } = this.#get(parentOf(to));
    if (entries.has(nameOf(to))) return;
    entries.set(nameOf(to), source);
    this.#linked.add(source);
  }

  move(from: ByteString, to: ByteString): void {
    const source = this.#get(parentOf(from));
    const moved = source.entries.get(nameOf(from));
    if (moved === undefined) throw refusal("renameat2", from);
    const target = this.#get(parentOf(to));
    this.#forget(target.entries.get(nameOf(to)));
    source.entries.delete(nameOf(from));
    target.entries.set(nameOf(to), moved);
    if (typeof moved !== "number") moved.parent = target;
  }

  removeDirectory(path: ByteString): void {
    this.#get(parentOf(path)).entries.delete(nameOf(path));
  }

  removeFile(path: ByteString): void {
    const { entries } = this.#get(parentOf(path));
    this.#forget(entries.get(nameOf(path)));
    entries.delete(nameOf(path));
  }

  finish(): void {
    writeDirectories({
      fd: this.#fd.number,
      output: this.#output,
      root: this.#root,
      inodes: this.#inodes + this.#writer.count,
      linked: this.#linked,
    });
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
    this.#fd[Symbol.dispose]();
  }

  /** Notes that names are gone: what they stood for may have others. */
  #forget(entry: ImageDirectory | number | undefined): void {
    if (typeof entry === "number") this.#linked.add(entry);
    else if (entry !== undefined)
      for (const { entries } of imageDirectories(entry))
        for (const inner of entries.values()) if (typeof inner === "number") this.#linked.add(inner);
  }

  #get(path: ByteString): ImageDirectory {
    const directory = this.#find(path);
    if (directory === undefined) throw refusal("openat", path);
    return directory;
  }

  #find(path: ByteString): ImageDirectory | undefined {
    let at: ImageDirectory | undefined = this.#root;
    for (const name of path === "" ? [] : path.split("/")) {
      const entry: ImageDirectory | number | undefined = at?.entries.get(name);
      at = typeof entry === "number" ? undefined : entry;
    }
    return at;
  }
}

type Attributes = Pick<ImageDirectory, "mode" | "uid" | "gid" | "mtime" | "xattrs">;

function attributesOf({ files, node }: LayerSource): Attributes {
  const { mode, uid, gid, mtime } = node;
  const xattrs = [...files.xattrs(node)].map(
    ([name, value]) => [name, Buffer.from(value).toString("latin1")] as const,
  );
  return { mode, uid, gid, mtime: clampTime(mtime), xattrs: new Map(xattrs) };
}

function refusal(call: string, path: ByteString): SyscallError {
  return new SyscallError({ name: call, text: `${call}(${JSON.stringify(path)})`, errno: ENOENT });
}
