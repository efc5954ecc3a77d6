import { describe, expect, test } from "bun:test";
import { readdirSync, renameSync, symlinkSync } from "node:fs";
import { DirectoryFiles } from "../../../../src/image/tree/directory_files.ts";
import type { LayerFiles, LayerNode } from "../../../../src/image/tree/layer_files.ts";
import { MergedFiles } from "../../../../src/image/tree/merged_files.ts";
import type { UnpackOptions } from "../../../../src/image/unpack/options.ts";
import { readContent, walkFiles } from "../../../helpers/files_snapshot.ts";
import { LayerSandbox } from "../../../helpers/layer_sandbox.ts";
import type { TarEntry } from "../../../helpers/tar_builder.ts";

/** As any user may unpack. */
const anyUser: Partial<UnpackOptions> = {
  whiteouts: "files",
  owners: "single",
  devices: "skip",
};

const bottom: readonly TarEntry[] = [
  { name: "etc/", mode: 0o755 },
  { name: "etc/hosts", data: "below" },
  { name: "etc/gone", data: "gone" },
  { name: "etc/passwd", data: "root" },
  { name: "opt/", mode: 0o755 },
  { name: "opt/old", data: "old" },
  { name: "var", type: "symlink", link: "etc" },
];
const middle: readonly TarEntry[] = [{ name: "etc/hosts", data: "between" }];
const top: readonly TarEntry[] = [
  { name: "etc/", mode: 0o711 },
  { name: "etc/hosts", data: "above" },
  { name: "etc/.wh.gone", data: "" },
  { name: "etc/alias", type: "hardlink", link: "etc/hosts" },
  { name: "opt/", mode: 0o700 },
  { name: "opt/.wh..wh..opq", data: "" },
  { name: "opt/new", data: "new" },
];

describe("originOf()", () => {
  const origin = withMerged((merged, path: string) => merged.originOf(path));

  test("names the topmost layer that has a file", () => {
    expect(origin("etc/hosts")).toMatchObject({ layer: 0, layers: [0] });
    expect(origin("etc/passwd")).toMatchObject({ layer: 2, layers: [2] });
  });

  test("names all layers that a directory comes from, and the one of its attributes", () => {
    expect(origin("etc")).toMatchObject({ layer: 0, layers: [0, 1, 2], node: { mode: 0o711 } });
    expect(origin("opt")).toMatchObject({ layer: 0, layers: [0], node: { mode: 0o700 } });
  });

  test.each(["etc/gone", "opt/old", "nothing", "etc/hosts/below", "var/hosts", "etc/.wh.gone"])(
    "finds nothing at %s",
    (path) => {
      expect(origin(path)).toBeUndefined();
    },
  );
});

describe("list()", () => {
  test("sorts names by their bytes and shows no whiteout", () => {
    const names = withMerged((merged) => merged.list(merged.originOf("etc")?.node ?? merged.root))();

    expect(names).toEqual(["alias", "hosts", "passwd"]);
  });

  test("shows whiteouts of a single layer", () => {
    using sandbox = new LayerSandbox();
    using files = new DirectoryFiles(sandbox.unpack(top, anyUser).path);
    const etc = files.lookup(files.root, "etc") as LayerNode;

    expect(files.list(etc)).toEqual(["alias", "gone", "hosts"]);
    expect(files.lookup(etc, "gone")?.kind).toBe("whiteout");
  });
});

describe("lookup()", () => {
  test("finds what list() shows, before and after it was called", () => {
    using sandbox = new LayerSandbox();
    using merged = mergedOf(sandbox);
    const before = merged.lookup(merged.root, "opt");

    merged.list(merged.root);

    expect(merged.lookup(merged.root, "opt")).toMatchObject({ mode: before?.mode, kind: "directory" });
  });

  test("tells names of one file by the same key", () => {
    const keys = withMerged((merged) =>
      ["etc/hosts", "etc/alias", "etc/passwd"].map((path) => merged.originOf(path)?.node.linkKey),
    )();

    expect(keys[0]).toBeDefined();
    expect(keys).toEqual([keys[0], keys[0], undefined]);
  });
});

describe("open()", () => {
  test("reads from any position, and nothing beyond the end", () => {
    const read = withMerged((merged, position: number) => {
      using content = merged.open(merged.originOf("etc/hosts")?.node as LayerNode);
      const buffer = new Uint8Array(new ArrayBuffer(10));
      return Buffer.from(buffer.subarray(0, content.read(buffer, position))).toString();
    });

    expect([read(0), read(2), read(5), read(1000)]).toEqual(["above", "ove", "", ""]);
  });

  test("reads a file of several pieces", () => {
    using sandbox = new LayerSandbox();
    const data = Buffer.from(Array.from({ length: 123_456 }, (_, index) => index % 251));
    using files = new DirectoryFiles(sandbox.unpack([{ name: "f", data }], anyUser).path);

    expect(readContent(files, files.lookup(files.root, "f") as LayerNode)).toEqual(data);
  });
});

describe("DirectoryFiles", () => {
  test("follows no symlink that takes a directory's place", () => {
    using sandbox = new LayerSandbox();
    const { path } = sandbox.unpack(bottom, anyUser);
    using files = new DirectoryFiles(path);
    const etc = files.lookup(files.root, "etc") as LayerNode;

    renameSync(`${path}/etc`, `${path}/moved`);
    symlinkSync("/etc", `${path}/etc`);

    expect(() => files.list(etc)).toThrow("openat2");
  });

  test("closes what it has opened", () => {
    using sandbox = new LayerSandbox();
    const { path } = sandbox.unpack(bottom, anyUser);
    const before = openDescriptors();

    {
      using files = new DirectoryFiles(path);
      expect([...walkFiles(files)].length).toBeGreaterThan(bottom.length);
    }

    expect(openDescriptors()).toEqual(before);
  });
});

function mergedOf(sandbox: LayerSandbox): MergedFiles {
  const stack = sandbox.unpackAll([bottom, middle, top], anyUser);
  return new MergedFiles(stack.toReversed().map((path): LayerFiles => new DirectoryFiles(path)));
}

/** Runs a question against a stack of its own. */
function withMerged<Args extends readonly unknown[], Answer>(
  ask: (merged: MergedFiles, ...args: Args) => Answer,
): (...args: Args) => Answer {
  return (...args) => {
    using sandbox = new LayerSandbox();
    using merged = mergedOf(sandbox);
    return ask(merged, ...args);
  };
}

const openDescriptors = (): string[] => readdirSync("/proc/self/fd").sort();
