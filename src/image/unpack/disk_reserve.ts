/**
 * Stops a layer before it fills the disk to the last byte: a few kilobytes of a compressed layer may stand for gigabytes,
 * and others write to that disk, too. No bound on what a layer unpacks to would be right for every honest one. Zeros,
 * which are not written, count for nothing.
 */
import { BunkerError } from "../../errors.ts";
import { diskRoom } from "../../fs/disk_room.ts";

/** What is left of a disk, where that is less than a share of it. */
const RESERVE_BYTES = 64 << 20;
const RESERVE_SHARE = 1 / 64;
/** Bytes of an archive between two looks at the disk, a microsecond each for some ten milliseconds of work. */
const STEP_BYTES_MAX = 8 << 20;
const STEP_BYTES_MIN = 1 << 16;
/** Blocks of a file system that a small file takes are more than its part of the archive; layers come side by side. */
const STEP_SHARE = 1 / 16;

/** Too little of the disk would be left. */
export class ReserveError extends BunkerError {
  readonly code = "DISK_FULL";
}

/** Bytes that stay free on a disk. */
export const reserveOf = (totalBytes: number): number =>
  Math.floor(Math.min(RESERVE_BYTES, totalBytes * RESERVE_SHARE));

/** Looks at the disk now and then, while a layer is written. */
export class DiskReserve {
  readonly #directory: string;
  /** Small layers are not worth a look. */
  #untilLook = STEP_BYTES_MAX / 8;

  /** @param directory absolute, on the disk that is written to */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param bytes of the archive that are about to be written. @throws {ReserveError} */
  add(bytes: number): void {
    this.#untilLook -= bytes;
    if (this.#untilLook < 0) this.#look();
  }

  #look(): void {
    const room = diskRoom(this.#directory);
    if (room === undefined) return;
    const reserve = reserveOf(room.totalBytes);
    const left = room.availableBytes - reserve;
    if (left < STEP_BYTES_MIN)
      throw new ReserveError(`Cannot unpack layer: less than ${reserve} bytes of the disk would be left`);
    this.#untilLook = Math.max(STEP_BYTES_MIN, Math.min(STEP_BYTES_MAX, left * STEP_SHARE));
  }
}
