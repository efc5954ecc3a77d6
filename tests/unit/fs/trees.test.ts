import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { openByComponents, tryOpenBeneath } from "../../../src/fs/beneath.ts";
import { byteString, cBytes, quoteBytes } from "../../../src/fs/byte_string.ts";
import { copyTree } from "../../../src/fs/copy_tree.ts";
import { removeTree } from "../../../src/fs/remove_tree.ts";
import { AT_FDCWD, O_DIRECTORY } from "../../../src/linux/abi/fcntl.ts";
import { close, Fd, mkdirat, openat } from "../../../src/linux/file.ts";
import { snapshotTree } from "../../helpers/tree_snapshot.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(`${tmpdir()}/bunker-fs-`);
});
afterEach(() => removeTree({ dirfd: AT_FDCWD, path: directory }));

describe("removeTree()", () => {
  test("removes files, directories and symlinks, and follows none", () => {
    mkdirSync(`${directory}/kept`);
    writeFileSync(`${directory}/kept/file`, "x");
    mkdirSync(`${directory}/tree/sub`, { recursive: true });
    symlinkSync("../kept", `${directory}/tree/link`);
    symlinkSync("..", `${directory}/tree/sub/up`);

    removeTree({ dirfd: AT_FDCWD, path: `${directory}/tree` });

    expect(existsSync(`${directory}/tree`)).toBeFalse();
    expect(existsSync(`${directory}/kept/file`)).toBeTrue();
  });

  test("removes a symlink itself, a file, and nothing", () => {
    mkdirSync(`${directory}/kept`);
    symlinkSync("kept", `${directory}/link`);

    for (const name of ["link", "none"]) removeTree({ dirfd: AT_FDCWD, path: `${directory}/${name}` });

    expect(existsSync(`${directory}/link`)).toBeFalse();
    expect(existsSync(`${directory}/kept`)).toBeTrue();
  });

  test("removes trees deeper than a path can say", () => {
    makeDeep(directory, "a-long-name-of-a-directory", 600);

    removeTree({ dirfd: AT_FDCWD, path: `${directory}/a-long-name-of-a-directory` });

    expect(existsSync(`${directory}/a-long-name-of-a-directory`)).toBeFalse();
  });

  test("removes such trees whatever names they have", () => {
    // Depth is taken away by moving directories up, under names of this kind.
    for (const number of [1, 2])
      mkdirSync(`${directory}/tree/.deep-${process.pid}-${number}/inner`, { recursive: true });
    makeDeep(`${directory}/tree`, "deep", 200);

    removeTree({ dirfd: AT_FDCWD, path: `${directory}/tree` });

    expect(existsSync(`${directory}/tree`)).toBeFalse();
  });
});

function makeDeep(parent: string, name: string, depth: number): void {
  let fd = openat(AT_FDCWD, parent, { flags: O_DIRECTORY });
  for (let level = 0; level < depth; level += 1) {
    mkdirat(fd, name, 0o700);
    const next = openat(fd, name, { flags: O_DIRECTORY });
    close(fd);
    fd = next;
  }
  close(fd);
}

describe("tryOpenBeneath()", () => {
  const ways = [
    ["with openat2(2)", tryOpenBeneath],
    ["without it", openByComponents],
  ] as const;
  test.each(ways)("opens directories, and refuses every symlink on the way, %s", (_, open) => {
    mkdirSync(`${directory}/a/b`, { recursive: true });
    symlinkSync("a", `${directory}/link`);
    symlinkSync("b", `${directory}/a/last`);
    using root = new Fd(openat(AT_FDCWD, directory, { flags: O_DIRECTORY }));

    for (const path of ["a", "a/b"]) {
      using fd = new Fd(open(root.number, path));
      expect(fd.number).toBeGreaterThan(0);
    }
    for (const path of ["link", "link/b", "a/last", "none"]) {
      expect(open(root.number, path)).toBeLessThan(0);
    }
  });
});

describe("copyTree()", () => {
  test("copies everything that a tree has, hard links as such", async () => {
    const script = `mkdir -p t/d; echo x > t/d/f; ln t/d/f t/hard; ln -s /etc t/link; mkfifo t/pipe; chmod 1751 t/d
      truncate -s 1M t/sparse; touch -d @123456789.987654321 t/d/f t/d`;
    await Bun.$`sh -c ${script}`.cwd(directory);

    copyTree(`${directory}/t`, `${directory}/copy`);

    expect(snapshotTree(`${directory}/copy`)).toEqual(snapshotTree(`${directory}/t`));
    expect(readFileSync(`${directory}/copy/d/f`, "utf8")).toBe("x\n");
  });
});

describe("quoteBytes()", () => {
  const cases = [
    [byteString("ü"), '"ü"'],
    ["a\nb\x1b[31m\x7f", '"a\\nb\\u001b[31m\\u007f"'],
    [byteString("\u202e"), '"\\u202e"'],
    ["x".repeat(300), `"${"x".repeat(200)}"…`],
  ] as const;
  test.each(cases)("shows %j so that it forges nothing", (name, expected) => {
    expect(quoteBytes(name)).toBe(expected);
  });
});

describe("cBytes()", () => {
  test("ends a name with a NUL, and refuses one inside", () => {
    expect([...cBytes("a\xff")]).toEqual([97, 255, 0]);
    expect(() => cBytes("a\0b")).toThrow(TypeError);
  });
});
