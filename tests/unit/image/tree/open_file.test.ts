import { describe, expect, test } from "bun:test";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { DirectoryFiles } from "../../../../src/image/tree/directory_files.ts";
import { writeFlatArchive } from "../../../../src/image/tree/flat_archive.ts";
import { HOLE_BYTES_MAX } from "../../../../src/image/tree/node_writer.ts";
import { LayerSandbox, rootOptions } from "../../../helpers/layer_sandbox.ts";

/** As any user may unpack. */
const anyUser = { ...rootOptions, whiteouts: "files", owners: "single", devices: "skip" } as const;
const MIB = 1 << 20;

/** A directory with one file of `size` bytes, which has `pieces` and holes between them. */
class SparseFile implements Disposable {
  readonly directory = mkdtempSync(`${tmpdir()}/bunker-sparse-`);
  readonly path = `${this.directory}/file`;

  constructor(size: number, pieces: Readonly<Record<number, string>> = {}) {
    const fd = openSync(this.path, "wx");
    ftruncateSync(fd, size);
    for (const [at, text] of Object.entries(pieces)) writeSync(fd, text, Number(at));
    closeSync(fd);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** Reads the whole file in steps. */
function contentOf(files: DirectoryFiles, step: number): Buffer {
  const node = files.lookup(files.root, "file");
  if (node === undefined) throw new Error("no file");
  using content = files.open(node);
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const part = Buffer.alloc(step, 0xff);
    const count = content.read(part, at);
    if (count === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, count));
    at += count;
  }
}

describe("DirectoryFiles.open()", () => {
  test.each([4096, 100_000, MIB])("reads a file with holes as it is, %d bytes at a time", (step) => {
    using file = new SparseFile(5 * MIB + 17, {
      0: "first",
      [2 * MIB + 5]: "second",
      [5 * MIB + 10]: "last",
    });
    using files = new DirectoryFiles(file.directory);

    const content = contentOf(files, step);

    const expected = Buffer.alloc(5 * MIB + 17);
    expected.write("first");
    expected.write("second", 2 * MIB + 5);
    expected.write("last", 5 * MIB + 10);
    expect(content.equals(expected)).toBeTrue();
  });

  test("reads what is left of a file with holes that became shorter as zeros up to its size", () => {
    using file = new SparseFile(4 * MIB, { [3 * MIB]: "data" });
    using files = new DirectoryFiles(file.directory);
    const node = files.lookup(files.root, "file");
    using content = files.open(node ?? files.root);
    truncateSync(file.path, 10);
    const buffer = Buffer.alloc(MIB, 0xff);

    const counts = [content.read(buffer, 3 * MIB), content.read(buffer, 4 * MIB)];

    expect(counts).toEqual([MIB, 0]);
    expect(buffer.equals(Buffer.alloc(MIB))).toBeTrue();
  });

  test("goes over a terabyte of a hole without reading it", () => {
    using file = new SparseFile(2 ** 40, { [2 ** 40 - 4]: "last" });
    using files = new DirectoryFiles(file.directory);
    using content = files.open(files.lookup(files.root, "file") ?? files.root);
    const buffer = Buffer.alloc(MIB);

    const counts = [0, 2 ** 39, 2 ** 40 - MIB].map((at) => content.read(buffer, at));

    expect(counts).toEqual([MIB, MIB, MIB]);
    expect(buffer.toString("latin1", MIB - 4)).toBe("last");
    expect(content.holeBytes).toBeGreaterThan(2 ** 40 - MIB);
  });
});

describe("writeFlatArchive()", () => {
  test("refuses a file with more holes than an archive may spell out, and names it", () => {
    using file = new SparseFile(HOLE_BYTES_MAX + MIB);
    using files = new DirectoryFiles(file.directory);

    const write = () => writeFlatArchive(files).next();

    expect(write).toThrow('Cannot archive "/file": with it, 64 GiB of holes would become zeros');
  });

  test("writes holes as zeros, and unpacking them takes no room", () => {
    using file = new SparseFile(64 * MIB + 5, { [10 * MIB]: "middle" });
    using files = new DirectoryFiles(file.directory);
    using sandbox = new LayerSandbox();

    const archive = Buffer.concat(Array.from(writeFlatArchive(files), (chunk) => Buffer.from(chunk)));
    const { path } = sandbox.write(archive, anyUser, 128 * 1024);

    expect(archive.length).toBeGreaterThan(64 * MIB);
    const { size, blocks } = statSync(`${path}/file`);
    expect(size).toBe(64 * MIB + 5);
    expect(blocks * 512).toBeLessThan(MIB);
    using unpacked = new DirectoryFiles(path);
    expect(contentOf(unpacked, MIB).equals(contentOf(files, MIB))).toBeTrue();
  });
});
