/**
 * Takes an archive of images apart: every file of it goes into a directory of its own number, hashed as it comes. Names
 * of entries are keys only, they never become paths; whatever an honest archive does not hold is refused by name.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { BunkerError } from "../../errors.ts";
import { type ByteString, quoteBytes } from "../../fs/byte_string.ts";
import { type Digest, digestOfHex, isDigest } from "../../oci/digest.ts";
import { DOCUMENT_BYTES_MAX } from "../../oci/json.ts";
import { type ByteSink, SlotWriter } from "../lane/byte_sink.ts";
import { CompressionError, type Inflater, MAGIC_LENGTH, openInflater } from "../lane/inflate.ts";
import { type TarEntry, TarError } from "../tar/entry.ts";
import { type TarHandler, TarReader } from "../tar/reader.ts";

/** An archive of images cannot be loaded; nothing of it is in the store. */
export class ArchiveError extends BunkerError {
  readonly code = "ARCHIVE_INVALID";
}

/** The error for an archive of which `state` is what is wrong. */
export function archiveError(state: string, cause?: unknown): ArchiveError {
  return new ArchiveError(`Cannot load archive: ${state}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: "Give it an archive of docker save, podman save, skopeo, or bunker save",
  });
}

/** One file of an archive. */
export interface ArchiveFile {
  /** Absolute path of the extracted file. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: Digest;
}

/** Files by their name in the archive; symbolic links, which docker made for equal layers, are followed. */
export interface ArchiveFiles {
  find(name: string): ArchiveFile | undefined;
  readonly all: readonly ArchiveFile[];
}

/** Most entries: a hundred images of a hundred layers, with what docker adds to each. */
export const ARCHIVE_ENTRIES_MAX = 50_000;
/** Bytes of one file, and of all. */
const FILE_BYTES_MAX = 2 ** 40;
const TOTAL_BYTES_MAX = 2 ** 42;
/** Bytes of all holes: they cost the archive nothing, and the reader their digest, three seconds for so many. */
const HOLE_BYTES_MAX = 2 ** 32;
/** Entries that are refused before they are read. */
const DOCUMENTS: readonly string[] = ["oci-layout", "index.json", "manifest.json", "repositories"];
const LINKS_MAX = 8;
const BUFFER_SIZE = 256 * 1024;
const BLOB = /^blobs\/sha256\/([^/]+)$/;

/**
 * Reads an archive, compressed by gzip or zstd or not at all.
 * @param directory exists and is empty; the caller removes it
 * @throws {ArchiveError} {TarError}
 */
export async function readArchive(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  directory: string,
  signal: AbortSignal,
): Promise<ArchiveFiles> {
  using files = new Extraction(directory);
  const reader = new TarReader(files);
  const buffer = new Uint8Array(BUFFER_SIZE);
  const sink: ByteSink = {
    acquire: () => buffer,
    commit: (length) => reader.push(buffer.subarray(0, length)),
  };
  const out = new SlotWriter(sink);
  let inflater: Inflater | undefined;
  let head: Uint8Array = new Uint8Array(0);
  try {
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      const bytes = inflater === undefined ? Buffer.concat([head, chunk]) : chunk;
      if (inflater === undefined && bytes.length < MAGIC_LENGTH) {
        head = bytes;
        continue;
      }
      inflater ??= openInflater(bytes, out);
      await inflater.push(bytes);
    }
    if (inflater === undefined) throw archiveError("it is empty");
    await inflater.finish();
    out.finish();
    reader.finish();
    return files.result();
  } catch (cause) {
    if (cause instanceof TarError && reader.entries === 0) throw archiveError("it is no tar archive", cause);
    if (!(cause instanceof CompressionError)) throw cause;
    throw new ArchiveError("Cannot load archive: it cannot be decompressed", {
      cause,
      hint: "Decompress it first: xz -dc FILE | bunker load",
    });
  } finally {
    inflater?.close();
  }
}

/** Receives the entries of one archive. */
class Extraction implements TarHandler, Disposable {
  readonly #directory: string;
  readonly #files = new Map<ByteString, ArchiveFile>();
  readonly #links = new Map<ByteString, ByteString>();
  readonly #names = new Set<ByteString>();
  #open:
    | { readonly name: ByteString; readonly path: string; readonly fd: number; readonly size: number }
    | undefined;
  #hasher = new Bun.CryptoHasher("sha256");
  #filled = 0;
  #total = 0;
  #holes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  onEntry(entry: TarEntry): void {
    const name = nameOf(entry);
    if (entry.type === "directory") return;
    if (this.#names.has(name)) throw refused(entry.path, "is there twice");
    if (this.#names.size >= ARCHIVE_ENTRIES_MAX) {
      throw archiveError(`it has more than ${ARCHIVE_ENTRIES_MAX} entries`);
    }
    this.#names.add(name);
    if (entry.type === "symlink") {
      this.#links.set(name, targetOf(name, entry));
      return;
    }
    this.#total += entry.size;
    if (entry.size > FILE_BYTES_MAX || this.#total > TOTAL_BYTES_MAX)
      throw refused(entry.path, "is too large");
    if (DOCUMENTS.includes(name) && entry.size > DOCUMENT_BYTES_MAX)
      throw refused(entry.path, `is too large: ${entry.size} bytes of JSON`);
    const path = `${this.#directory}/${this.#names.size}`;
    this.#open = { name, path, fd: openSync(path, "wx", 0o600), size: entry.size };
    this.#hasher = new Bun.CryptoHasher("sha256");
    this.#filled = 0;
  }

  onData(bytes: Uint8Array, offset: number): void {
    const fd = this.#open?.fd ?? -1;
    this.#skip(offset - this.#filled);
    this.#hasher.update(bytes);
    for (let done = 0; done < bytes.length; )
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
    this.#filled += bytes.length;
  }

  onEntryEnd(): void {
    if (this.#open === undefined) return;
    const { name, path, fd, size } = this.#open;
    const hole = size - this.#filled;
    this.#skip(hole);
    if (hole > 0) ftruncateSync(fd, size);
    this.#open = undefined;
    closeSync(fd);
    const digest = digestOfHex(this.#hasher.digest("hex"));
    const [, hex] = BLOB.exec(name) ?? [];
    if (hex !== undefined && isDigest(`sha256:${hex}`) && digest !== `sha256:${hex}`) {
      throw refused(name, `has the digest ${digest}`);
    }
    this.#files.set(name, { path, sizeBytes: this.#filled, digest });
  }

  result(): ArchiveFiles {
    const find = (wanted: string): ArchiveFile | undefined => {
      let name: ByteString | undefined = Buffer.from(wanted).toString("latin1").replace(/^\.\//, "");
      for (let links = 0; name !== undefined && links <= LINKS_MAX; links += 1) {
        const file = this.#files.get(name);
        if (file !== undefined) return file;
        name = this.#links.get(name);
      }
      return undefined;
    };
    return { find, all: [...this.#files.values()] };
  }

  [Symbol.dispose](): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  /** Goes over a hole of a sparse file: zeros for the digest, nothing for the disk. */
  #skip(count: number): void {
    this.#holes += count;
    if (this.#holes > HOLE_BYTES_MAX) throw refused(this.#open?.name ?? "", "has more holes than data");
    const zeros = new Uint8Array(Math.min(count, BUFFER_SIZE));
    for (let left = count; left > 0; left -= zeros.length)
      this.#hasher.update(zeros.subarray(0, Math.min(left, zeros.length)));
    this.#filled += count;
  }
}

/** Kinds that an archive of images has no use for. */
const FOREIGN: Readonly<Record<string, string>> = {
  link: "is a hard link",
  char: "is a device",
  block: "is a device",
  fifo: "is a named pipe",
};

/** The name without "./" and the "/" of a directory. @throws {ArchiveError} for what points elsewhere */
function nameOf({ path, type }: TarEntry): ByteString {
  const foreign = FOREIGN[type];
  if (foreign !== undefined) throw refused(path, foreign);
  if (path.startsWith("/")) throw refused(path, "has an absolute name");
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refused(path, 'has ".." in its name');
  return parts.join("/");
}

/** Target of a symbolic link within the archive. */
function targetOf(name: ByteString, { path, linkPath }: TarEntry): ByteString {
  if (linkPath.startsWith("/")) throw refused(path, "is a link to an absolute name");
  const parts = name.split("/").slice(0, -1);
  for (const part of linkPath.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) throw refused(path, "is a link that leaves the archive");
    } else if (part !== "" && part !== ".") {
      parts.push(part);
    }
  }
  return parts.join("/");
}

const refused = (path: ByteString, state: string): ArchiveError =>
  archiveError(`entry ${quoteBytes(path)} ${state}`);
