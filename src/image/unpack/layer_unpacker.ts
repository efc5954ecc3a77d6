/** Unpacks one layer: an archive that is pushed in becomes a directory or an image. Synchronous, for any thread. */
import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { Fd, openat } from "../../linux/file.ts";
import { ErofsTarget } from "../erofs/erofs_target.ts";
import { TarReader } from "../tar/reader.ts";
import { LayerApplier, type LayerResult } from "./applier.ts";
import { removeAccessLists } from "./attributes.ts";
import { DirectoryTarget } from "./directory_target.ts";
import { DiskReserve } from "./disk_reserve.ts";
import type { UnpackOptions } from "./options.ts";

const ROOT_MODE = 0o755;

/** Reader and applier of one layer, joined. */
export class LayerUnpacker implements Disposable {
  readonly #rootFd: Fd | undefined;
  readonly #applier: LayerApplier;
  readonly #reader: TarReader;
  readonly #reserve: DiskReserve;

  /** @param path must not exist; a directory or file that is created, and left to the caller */
  constructor(path: string, options: UnpackOptions) {
    if (options.form === "directory") this.#rootFd = makeDirectory(path);
    const target =
      this.#rootFd === undefined
        ? new ErofsTarget(path, options)
        : new DirectoryTarget(this.#rootFd.number, options);
    this.#applier = new LayerApplier(target, options);
    this.#reader = new TarReader(this.#applier);
    this.#reserve = new DiskReserve(dirname(path));
  }

  /** @throws {TarError} {LayerError} {UnpackError}, {ReserveError} before the disk is full */
  push(bytes: Uint8Array): void {
    this.#reserve.add(bytes.length);
    this.#reader.push(bytes);
  }

  /** @throws as {@link push} */
  finish(): LayerResult {
    this.#reader.finish();
    return this.#applier.finish();
  }

  [Symbol.dispose](): void {
    this.#applier[Symbol.dispose]();
    this.#rootFd?.[Symbol.dispose]();
  }
}

function makeDirectory(path: string): Fd {
  mkdirSync(path);
  // Without what it may have from above, and would hand on to everything in it: access lists, a set-group-id bit.
  removeAccessLists(path);
  chmodSync(path, ROOT_MODE);
  return new Fd(openat(AT_FDCWD, path, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW }));
}
