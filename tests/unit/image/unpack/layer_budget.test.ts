import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../../../src/fs/remove_tree.ts";
import type { TarEntry } from "../../../../src/image/tar/entry.ts";
import { TarReader } from "../../../../src/image/tar/reader.ts";
import { LayerApplier } from "../../../../src/image/unpack/applier.ts";
import { DirectoryTarget } from "../../../../src/image/unpack/directory_target.ts";
import { LayerBudget } from "../../../../src/image/unpack/layer_budget.ts";
import type { UnpackOptions } from "../../../../src/image/unpack/options.ts";
import { AT_FDCWD, O_DIRECTORY } from "../../../../src/linux/abi/fcntl.ts";
import { Fd, openat } from "../../../../src/linux/file.ts";
import { type TarEntry as BuiltEntry, buildTar } from "../../../helpers/tar_builder.ts";

const LIMITS = { directories: 2, keptBytes: 1000 };
const refused = (state: string): object =>
  expect.objectContaining({ code: "LAYER_INVALID", message: `Cannot unpack entry "d/e": ${state}` });

describe("LayerBudget", () => {
  test("refuses one directory more than its limit, and names the entry", () => {
    const budget = new LayerBudget(LIMITS);
    for (let count = 0; count < 2; count += 1) budget.addDirectory("d/e");

    expect(() => budget.addDirectory("d/e")).toThrow(refused("the layer has more than 2 directories"));
  });

  test("counts targets of links and attributes of directories together", () => {
    const budget = new LayerBudget(LIMITS);
    budget.addLink(entry({ linkPath: "x".repeat(400) }));
    budget.addAttributes(entry({ xattrs: new Map([["user.a", "x".repeat(300)]]) }));

    expect(() => budget.addLink(entry({ linkPath: "x".repeat(200) }))).toThrow(
      refused("links, attributes and implied directories of the layer take more than 1000 bytes of memory"),
    );
  });

  test("counts what holds them, so that many small ones are not for nothing", () => {
    const budget = new LayerBudget(LIMITS);
    const add = (): void => {
      for (let count = 0; count < 100; count += 1) budget.addLink(entry({ linkPath: "x" }));
    };

    expect(add).toThrow(/more than 1000 bytes/);
  });
});

describe("LayerApplier", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(`${tmpdir()}/bunker-budget-`);
  });
  afterEach(() => removeTree({ dirfd: AT_FDCWD, path: directory }));

  const unpack = (entries: readonly BuiltEntry[], keptBytes: number): number => {
    using root = new Fd(openat(AT_FDCWD, directory, { flags: O_DIRECTORY }));
    const target = new DirectoryTarget(root.number, OPTIONS);
    using applier = new LayerApplier(target, OPTIONS, { directories: 10_000, keptBytes });
    const reader = new TarReader(applier);
    reader.push(buildTar(entries));
    reader.finish();
    return applier.finish().implied.length;
  };
  /** Twenty directories, of which the lowest has a path of two thousand bytes. */
  const deep = `${"d".repeat(99)}/`.repeat(20);

  test("counts the paths of all directories that an entry implies", () => {
    expect(unpack([{ name: `${deep}f` }], 30_000)).toBe(20);
    expect(() => unpack([{ name: `a/${deep}f` }], 20_000)).toThrow(/more than 20000 bytes of memory/);
  });

  test("counts the whole path of a link that waits, however short the entry's is", () => {
    const links = Array.from({ length: 50 }, (_, at): BuiltEntry => {
      return { name: `s/${at}`, type: "hardlink", link: "x" };
    });
    const entries: BuiltEntry[] = [{ name: deep }, { name: "s", type: "symlink", link: deep }, ...links];

    expect(() => unpack(entries, 100_000)).toThrow(/more than 100000 bytes of memory/);
  });
});

const OPTIONS: UnpackOptions = {
  form: "directory",
  whiteouts: "files",
  owners: "single",
  devices: "skip",
  creator: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
  umask: process.umask(),
};

function entry(fields: Partial<TarEntry>): TarEntry {
  const time = { seconds: 0, nanoseconds: 0 };
  const numbers = { size: 0, mode: 0, uid: 0, gid: 0, major: 0, minor: 0 };
  return {
    path: "d/e",
    type: "symlink",
    linkPath: "",
    mtime: time,
    atime: undefined,
    xattrs: new Map(),
    ...numbers,
    ...fields,
  };
}
