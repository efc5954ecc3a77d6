/**
 * Reads a tar archive as it streams by: whoever has bytes pushes them, and a handler is called for every entry and
 * every run of file data. Data is handed on as views of what was pushed, never copied; only headers that lie across
 * two pushes are gathered. Which header governs which bytes follows Go's archive/tar, as most images are made by it,
 * but where Go is lenient about a damaged header this reader refuses.
 */
import { type ByteString, quoteBytes } from "../../fs/byte_string.ts";
import { EntryAssembler } from "./assembler.ts";
import { limits, type TarEntry, TarError } from "./entry.ts";
import { BLOCK_SIZE, type Header, isZeroBlock, parseHeader } from "./header.ts";
import {
  DataMap,
  headerRealSize,
  parseExtensionMap,
  parseHeaderMap,
  type Segment,
  validateMap,
} from "./sparse.ts";

/** Receives an archive's entries in order. What it throws ends the reading and reaches the pusher. */
export interface TarHandler {
  /** An entry begins; for a file, its data follows. */
  onEntry(entry: TarEntry): void;
  /** Bytes of the entry's file at `offset` of it; `bytes` is only valid during the call. */
  onData(bytes: Uint8Array, offset: number): void;
  /** The entry that began last is complete. */
  onEntryEnd(): void;
}

type State = "header" | "meta" | "sparse-extension" | "sparse-data-map" | "data" | "skip" | "ended";

/** Header types whose body describes the next entry. */
const META_TYPES = "xXgLK";

/** Reads one archive; see {@link TarHandler} for what comes out. */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #assembler = new EntryAssembler();
  readonly #block = Buffer.alloc(BLOCK_SIZE);
  /** Bytes of #block that are filled: a header that lies across two pushes. */
  #blockFilled = 0;
  #state: State = "header";
  #sawZeroBlock = false;
  #entries = 0;
  /** What the entry at hand is called, for messages. */
  #name: ByteString | undefined;
  /** Bytes of the archive consumed, for messages. */
  #position = 0;

  /** Body of a meta header as it gathers. */
  #meta: Buffer = Buffer.alloc(0);
  #metaFilled = 0;
  #metaType = "";

  /** The header that waits for its sparse map. */
  #pending: { readonly header: Header; readonly realSize: number } | undefined;
  #segments: Segment[] = [];
  #segmentIndex = 0;
  #map = new DataMap();

  /** Offset in the file, bytes left of the present segment, of the stored data, and of padding after it. */
  #fileOffset = 0;
  #segmentLeft = 0;
  #dataLeft = 0;
  #paddingLeft = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** Entries begun so far. */
  get entries(): number {
    return this.#entries;
  }

  /**
   * Reads on. Bytes after the end of the archive are accepted and ignored.
   * @throws {TarError} at the first thing that is wrong; the reader is of no use afterwards
   */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    try {
      while (at < bytes.length && this.#state !== "ended") {
        const taken = this.#step(bytes, at);
        at += taken;
        this.#position += taken;
      }
    } catch (error) {
      throw this.#located(error);
    }
  }

  /** Says of which entry an error speaks, and where in the archive that is. */
  #located(error: unknown): unknown {
    if (!(error instanceof TarError) || / \((?:entry .+, )?byte \d+\)$/s.test(error.message)) return error;
    const entry = this.#name === undefined ? "" : `entry ${quoteBytes(this.#name)}, `;
    return new TarError(`${error.message} (${entry}byte ${this.#position})`);
  }

  /** @throws {TarError} when the archive ended in the middle of an entry. */
  finish(): void {
    const atBoundary = this.#state === "header" && this.#blockFilled === 0 && !this.#assembler.isPending;
    if (this.#state !== "ended" && !atBoundary) throw this.#error("it is cut short");
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "header":
      case "sparse-extension":
      case "sparse-data-map":
        return this.#gatherBlock(bytes, at);
      case "meta":
        return this.#gatherMeta(bytes, at);
      case "data":
        return this.#passData(bytes, at);
      case "skip":
        return this.#skip(bytes.length - at);
      case "ended":
        return bytes.length - at;
    }
  }

  #gatherBlock(bytes: Buffer, at: number): number {
    if (this.#blockFilled === 0 && bytes.length - at >= BLOCK_SIZE) {
      this.#onBlock(bytes.subarray(at, at + BLOCK_SIZE));
      return BLOCK_SIZE;
    }
    const taken = Math.min(BLOCK_SIZE - this.#blockFilled, bytes.length - at);
    bytes.copy(this.#block, this.#blockFilled, at, at + taken);
    this.#blockFilled += taken;
    if (this.#blockFilled === BLOCK_SIZE) {
      this.#blockFilled = 0;
      this.#onBlock(this.#block);
    }
    return taken;
  }

  #onBlock(block: Buffer): void {
    if (this.#state === "header") this.#onHeader(block);
    else if (this.#state === "sparse-extension") this.#onSparseExtension(block);
    else this.#onSparseDataMap(block);
  }

  #onHeader(block: Buffer): void {
    if (block[0] === 0 && isZeroBlock(block)) {
      if (this.#sawZeroBlock) this.#end();
      this.#sawZeroBlock = true;
      return;
    }
    if (this.#sawZeroBlock) throw this.#error("a header follows a block of zeros");
    this.#name = undefined;
    const header = this.#parse(block);
    if (META_TYPES.includes(header.typeflag)) {
      this.#beginMeta(header);
      return;
    }
    this.#name = this.#assembler.nameOf(header);
    if (header.typeflag === "S") this.#beginOldSparse(header, block);
    else this.#begin(header);
  }

  #parse(block: Buffer): Header {
    const header = parseHeader(block);
    if (header.size < 0) throw this.#error("a size is negative");
    return header;
  }

  #end(): void {
    if (this.#assembler.isPending) throw this.#error("an extended header has no entry");
    this.#state = "ended";
  }

  #beginMeta(header: Header): void {
    if (header.size > limits.headerBytes) {
      throw this.#error(`an extended header has ${header.size} bytes, more than ${limits.headerBytes}`);
    }
    this.#metaType = header.typeflag;
    this.#meta = Buffer.allocUnsafe(header.size);
    this.#metaFilled = 0;
    this.#paddingLeft = paddingOf(header.size);
    this.#state = "meta";
    if (header.size === 0) this.#endMeta();
  }

  #gatherMeta(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#meta.length - this.#metaFilled, bytes.length - at);
    bytes.copy(this.#meta, this.#metaFilled, at, at + taken);
    this.#metaFilled += taken;
    if (this.#metaFilled === this.#meta.length) this.#endMeta();
    return taken;
  }

  #endMeta(): void {
    this.#assembler.addMeta(this.#metaType, this.#meta);
    this.#state = this.#paddingLeft > 0 ? "skip" : "header";
  }

  #beginOldSparse(header: Header, block: Buffer): void {
    if (this.#assembler.paxSparse() !== undefined)
      throw this.#error("a sparse file is described in two ways");
    if (header.format !== "gnu")
      throw this.#error("a header of another format than GNU's has GNU's type of sparse files");
    const { segments, more } = parseHeaderMap(block);
    this.#pending = { header, realSize: headerRealSize(block) };
    this.#segments = [...segments];
    if (more) this.#state = "sparse-extension";
    else this.#beginSparse(this.#assembler.storedSize(header));
  }

  #onSparseExtension(block: Buffer): void {
    const { segments, more } = parseExtensionMap(block);
    for (const segment of segments) this.#segments.push(segment);
    if (this.#segments.length * 24 > limits.sparseMapBytes) throw this.#error("a sparse map is too long");
    if (!more && this.#pending !== undefined)
      this.#beginSparse(this.#assembler.storedSize(this.#pending.header));
  }

  /** A file whose map lies in its data waits for it; everything else begins at once. */
  #begin(header: Header): void {
    const sparse = this.#assembler.paxSparse();
    if (sparse === undefined) {
      const size = this.#assembler.storedSize(header);
      this.#segments = [{ offset: 0, length: size }];
      this.#beginEntry(header, size, size);
      return;
    }
    if (header.format !== "ustar") throw this.#error("a sparse file of PAX has a header of another format");
    this.#pending = { header, realSize: sparse.realSize };
    if (sparse.segments !== undefined) {
      this.#segments = sparse.segments;
      this.#beginSparse(this.#assembler.storedSize(header));
      return;
    }
    this.#map = new DataMap();
    this.#state = "sparse-data-map";
  }

  #onSparseDataMap(block: Buffer): void {
    const segments = this.#map.push(block.toString("latin1"));
    if (segments === undefined || this.#pending === undefined) return;
    const stored = this.#assembler.storedSize(this.#pending.header) - this.#map.bytes;
    this.#segments = segments;
    this.#beginSparse(stored);
  }

  #beginSparse(storedSize: number): void {
    if (this.#pending === undefined) throw this.#error("a sparse map has no entry");
    const { header, realSize } = this.#pending;
    this.#pending = undefined;
    validateMap(this.#segments, realSize, storedSize);
    this.#beginEntry(header, realSize, storedSize);
  }

  #beginEntry(header: Header, fileSize: number, storedSize: number): void {
    this.#entries += 1;
    if (this.#entries > limits.entries) throw this.#error(`it has more than ${limits.entries} entries`);
    const entry = this.#assembler.assemble(header, fileSize);
    // A directory written as a file with data (v7): the data means nothing, but it is there.
    const hasData = entry.type === "file";
    this.#dataLeft = hasData ? storedSize : 0;
    this.#paddingLeft = paddingOf(storedSize) + (hasData ? 0 : storedSize);
    this.#segmentIndex = -1;
    this.#segmentLeft = 0;
    this.#handler.onEntry(entry);
    if (this.#dataLeft > 0) this.#state = "data";
    else this.#endEntry();
  }

  #passData(bytes: Buffer, at: number): number {
    if (this.#segmentLeft === 0) this.#nextSegment();
    const taken = Math.min(this.#segmentLeft, bytes.length - at);
    this.#handler.onData(bytes.subarray(at, at + taken), this.#fileOffset);
    this.#fileOffset += taken;
    this.#segmentLeft -= taken;
    this.#dataLeft -= taken;
    if (this.#dataLeft === 0) this.#endEntry();
    return taken;
  }

  #nextSegment(): void {
    do {
      this.#segmentIndex += 1;
      const segment = this.#segments[this.#segmentIndex];
      if (segment === undefined) throw this.#error("a sparse map is shorter than its data");
      this.#fileOffset = segment.offset;
      this.#segmentLeft = segment.length;
    } while (this.#segmentLeft === 0);
  }

  #endEntry(): void {
    this.#state = this.#paddingLeft > 0 ? "skip" : "header";
    this.#handler.onEntryEnd();
  }

  #skip(available: number): number {
    const taken = Math.min(this.#paddingLeft, available);
    this.#paddingLeft -= taken;
    if (this.#paddingLeft === 0) this.#state = "header";
    return taken;
  }

  #error(state: string): TarError {
    return this.#located(new TarError(`Cannot read archive: ${state}`)) as TarError;
  }
}

const paddingOf = (size: number): number => (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
