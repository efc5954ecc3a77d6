/**
 * A data root on a disk of its own, which is a file: a copy of it at some moment is what a power loss at that moment leaves,
 * since what the kernel still had in memory is not in it.
 */
import { mkdirSync } from "node:fs";
import type { PullPlace } from "./pull_place.ts";

/** Large enough for the smallest of ext4, xfs and btrfs. */
const SIZE = "320M";
/** The kernel writes nothing by itself while a test runs: each flush is one that somebody asked for. */
const EXT4_OPTIONS = ["-o", "commit=600"];

/** File systems whose order of writes is known to differ; the tests' own is ext4. */
export type DiskKind = "ext4" | "xfs" | "btrfs";

export class DiskPlace {
  readonly #kind: DiskKind;
  readonly #root: string;
  readonly #directory: string;

  constructor({ sandbox }: PullPlace, kind: DiskKind) {
    this.#kind = kind;
    this.#root = sandbox.root;
    this.#directory = sandbox.directory;
    mkdirSync(this.#root, { recursive: true });
  }

  /** Makes an empty disk. */
  async make(name: string): Promise<void> {
    const file = this.#file(name);
    await Bun.$`truncate -s ${SIZE} ${file}`.quiet();
    await Bun.$`mkfs.${this.#kind} -q ${file}`.quiet();
  }

  /** Runs `use` with the disk at the data root; then it is unmounted, and so whole. */
  async with<Result>(name: string, use: () => Promise<Result>): Promise<Result> {
    const options = this.#kind === "ext4" ? EXT4_OPTIONS : [];
    await Bun.$`mount -o loop ${options} ${this.#file(name)} ${this.#root}`.quiet();
    try {
      return await use();
    } finally {
      await Bun.$`umount ${this.#root}`.quiet();
    }
  }

  /** What of a disk has been written by now. */
  async copy(from: string, to: string): Promise<void> {
    await Bun.$`cp --sparse=always ${this.#file(from)} ${this.#file(to)}`.quiet();
  }

  /** Has the file system write its journal, as it does by itself every few seconds, without the content of other files. */
  async commitJournal(): Promise<void> {
    await Bun.$`sh -c ${`echo > ${this.#root}/.other && sync ${this.#root}/.other`}`.quiet();
  }

  #file(name: string): string {
    return `${this.#directory}/${name}.disk`;
  }
}
