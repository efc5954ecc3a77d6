/**
 * Writes the nodes of a tree as entries of an archive: each with all that it has, names of one file as hard links of the
 * first. The tree may change meanwhile: what is gone is left out, and a file has the size that its entry says, cut off or
 * filled up with zeros, as GNU tar has it.
 */
import { UsageError } from "../../errors.ts";
import { type ByteString, quoteBytes } from "../../fs/byte_string.ts";
import type { EntryType, Timestamp } from "../tar/entry.ts";
import { header, padding, type WrittenEntry } from "../tar/writer.ts";
import { isHostXattr } from "../unpack/attributes.ts";
import { unlessGone } from "./gone.ts";
import type { FileContent, LayerFiles, LayerNode, LayerNodeKind } from "./layer_files.ts";

/** How nodes become entries. */
export interface NodeOptions {
  /** Seconds since 1970: later times are written as this one (SOURCE_DATE_EPOCH). */
  readonly mtimeMax?: number | undefined;
}

const CHUNK_SIZE = 256 * 1024;

/**
 * Bytes of all holes of one archive, which spells them out as zeros: minutes of work for so many, where a file of
 * `truncate -s 100T`, or /var/log/lastlog with a large user id, would take hours and fill the reader's disk.
 */
export const HOLE_BYTES_MAX = 2 ** 36;

/** Sockets have no type in an archive, and whiteouts are the caller's to write. */
const TYPES: ReadonlyMap<LayerNodeKind, EntryType> = new Map([
  ["file", "file"],
  ["directory", "directory"],
  ["symlink", "symlink"],
  ["character", "char"],
  ["block", "block"],
  ["fifo", "fifo"],
]);

const NOTHING: Omit<WrittenEntry, "path" | "type"> = {
  linkPath: "",
  size: 0,
  mode: 0,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** Writes nodes of one tree. */
export class NodeWriter {
  readonly #files: LayerFiles;
  readonly #options: NodeOptions;
  /** Path of the first name of each file that has several. */
  readonly #links = new Map<string, ByteString>();
  #holes = 0;
  readonly #buffer = new Uint8Array(new ArrayBuffer(CHUNK_SIZE));

  constructor(files: LayerFiles, options: NodeOptions = {}) {
    this.#files = files;
    this.#options = options;
  }

  /** The bytes of one node's entry, in chunks that are valid until the next; none for a socket, or what is gone. */
  *write(path: ByteString, node: LayerNode): Generator<Uint8Array> {
    const type = TYPES.get(node.kind);
    if (type === undefined) return;
    const first = node.linkKey === undefined ? undefined : this.#links.get(node.linkKey);
    if (first !== undefined) {
      yield header({ ...NOTHING, ...this.#attributes(node), path, type: "link", linkPath: first });
    } else if (type === "file") {
      using content = unlessGone(() => this.#files.open(node));
      if (content === undefined) return;
      this.#addHoles(path, content.holeBytes ?? 0);
      yield header({ ...this.#entry(path, node, type), size: node.size });
      yield* this.#content(content, node.size);
    } else {
      const entry = unlessGone(() => this.#entry(path, node, type));
      if (entry === undefined) return;
      yield header(entry);
    }
    if (node.linkKey !== undefined && first === undefined) this.#links.set(node.linkKey, path);
  }

  /** @throws {UsageError} before anything of a file is written that has too many */
  #addHoles(path: ByteString, count: number): void {
    this.#holes += count;
    if (this.#holes <= HOLE_BYTES_MAX) return;
    const gigabytes = Math.floor(this.#holes / 2 ** 30);
    throw new UsageError(
      `Cannot archive ${quoteBytes(`/${path}`)}: with it, ${gigabytes} GiB of holes would become zeros`,
      {
        hint: `Remove it, or shorten it with truncate; an archive takes ${HOLE_BYTES_MAX / 2 ** 30} GiB of them`,
      },
    );
  }

  #entry(path: ByteString, node: LayerNode, type: EntryType): WrittenEntry {
    return {
      ...NOTHING,
      ...this.#attributes(node),
      path,
      type,
      linkPath: type === "symlink" ? this.#files.readLink(node) : "",
      major: node.rdev.major,
      minor: node.rdev.minor,
      xattrs: this.#xattrs(node),
    };
  }

  #attributes({ mode, uid, gid, mtime }: LayerNode): Pick<WrittenEntry, "mode" | "uid" | "gid" | "mtime"> {
    return { mode, uid, gid, mtime: this.#time(mtime) };
  }

  #time({ seconds }: Timestamp): Timestamp {
    const { mtimeMax = seconds } = this.#options;
    return { seconds: Math.min(seconds, mtimeMax), nanoseconds: 0 };
  }

  #xattrs(node: LayerNode): ReadonlyMap<ByteString, ByteString> {
    const written = new Map<ByteString, ByteString>();
    for (const [name, value] of this.#files.xattrs(node)) {
      if (!isHostXattr(name)) written.set(name, Buffer.from(value).toString("latin1"));
    }
    return written;
  }

  *#content(content: FileContent, size: number): Generator<Uint8Array> {
    for (let at = 0; at < size; ) {
      const chunk = this.#buffer.subarray(0, Math.min(CHUNK_SIZE, size - at));
      const count = content.read(chunk, at);
      // It was longer when it was listed.
      if (count < chunk.length) chunk.fill(0, count);
      at += chunk.length;
      yield chunk;
    }
    yield padding(size);
  }
}

/** The same bytes in chunks of one size: most entries are small. Each is valid until the next is asked for. */
export function* gathered(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  const buffer = new Uint8Array(new ArrayBuffer(CHUNK_SIZE));
  let filled = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + CHUNK_SIZE - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < CHUNK_SIZE) continue;
      filled = 0;
      yield buffer;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
