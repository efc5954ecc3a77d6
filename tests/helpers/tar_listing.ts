/** Reads archives with the project's reader into plain values. */
import type { TarEntry } from "../../src/image/tar/entry.ts";
import { type TarHandler, TarReader } from "../../src/image/tar/reader.ts";

/** An entry with its data; holes of sparse files are zeros. */
export interface ListedEntry extends TarEntry {
  readonly data: string;
}

/** All entries of an archive that is pushed in pieces of `pieceSize` bytes. */
export function listTar(archive: Uint8Array, pieceSize = archive.length): ListedEntry[] {
  const list = new ListHandler();
  const reader = new TarReader(list);
  for (let at = 0; at < archive.length; at += pieceSize) reader.push(archive.subarray(at, at + pieceSize));
  reader.finish();
  return list.entries;
}

class ListHandler implements TarHandler {
  readonly entries: ListedEntry[] = [];
  #entry: TarEntry | undefined;
  #data = Buffer.alloc(0);

  onEntry(entry: TarEntry): void {
    this.#entry = entry;
    this.#data = Buffer.alloc(entry.size);
  }

  onData(bytes: Uint8Array, offset: number): void {
    this.#data.set(bytes, offset);
  }

  onEntryEnd(): void {
    if (this.#entry !== undefined) this.entries.push({ ...this.#entry, data: this.#data.toString("latin1") });
  }
}
