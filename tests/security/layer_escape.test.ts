import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { isRoot, LayerSandbox } from "../helpers/layer_sandbox.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { listTree, snapshotTree } from "../helpers/tree_snapshot.ts";

const title = (text: string): string => (isRoot ? text : `skipped: needs root: ${text}`);

/** `@` stands for the absolute path of the directory outside. */
type Attack = readonly [what: string, entries: readonly TarEntry[]];

const file = (name: string, data = "pwned"): TarEntry => ({ name, data });
const symlink = (name: string, link: string): TarEntry => ({ name, type: "symlink", link });
const hardlink = (name: string, link: string): TarEntry => ({ name, type: "hardlink", link });

/** Archives that ask for something outside in so many words. */
const refused: readonly Attack[] = [
  ["a path that begins with ..", [file("../victim")]],
  ["a path with .. in the middle", [file("a/../../victim")]],
  ["an absolute path with ..", [file("/../../victim")]],
  ["a directory above the root", [{ name: "../", type: "dir", mode: 0o777 }]],
  ["a hard link to a path that begins with ..", [hardlink("x", "../victim"), file("x")]],
  ["a hard link to a directory", [{ name: "d/" }, hardlink("x", "d")]],
  ["a hard link to the root", [hardlink("x", "/")]],
  ["the root as a symlink (CVE-2021-29136)", [symlink("./", "@"), file("victim")]],
  ["the root as a symlink called /", [symlink("/", "@"), file("victim")]],
  ["the root as a file", [{ name: ".", type: "file", data: "x" }]],
  ["a whiteout of the directory itself", [file("d/.wh.", "")]],
  ["a whiteout of .", [file("d/.wh..", "")]],
  ["a whiteout of ..", [file("d/.wh...", "")]],
  ["a symlink to itself as a parent", [symlink("loop", "loop"), file("loop/victim")]],
  ["symlinks to each other as parents", [symlink("a", "b"), symlink("b", "a"), file("a/victim")]],
  ["a file as a parent", [file("f", "x"), file("f/victim")]],
  ["a device number that does not exist", [{ name: "dev", type: "char", major: 5000, minor: 0 }]],
];

/** Archives that would escape a naive unpacker, with what must be in the layer instead. */
const contained: ReadonlyArray<readonly [...Attack, readonly string[]]> = [
  ["an absolute path", [file("/victim")], ["victim"]],
  ["an absolute path behind many slashes (CVE-2021-32804)", [file("////victim")], ["victim"]],
  [
    "a file through an absolute symlink (CVE-2014-9356)",
    [symlink("esc", "/victims"), file("esc/victim")],
    ["esc", "victims/", "victims/victim"],
  ],
  [
    "a file through a relative symlink that climbs out",
    [{ name: "a/" }, symlink("a/esc", "../../../../outside"), file("a/esc/victim")],
    ["a/", "a/esc", "outside/", "outside/victim"],
  ],
  [
    "symlinks that climb in steps (CVE-2026-26960)",
    [
      { name: "a/b/c/" },
      symlink("a/b/c/up", "../.."),
      symlink("a/esc", "b/c/up/../../.."),
      file("a/esc/victim"),
    ],
    ["a/", "a/b/", "a/b/c/", "a/b/c/up", "a/esc", "victim"],
  ],
  [
    "a directory that becomes a symlink (CVE-2021-32803, CVE-2025-47290)",
    [{ name: "d/" }, file("d/first", "1"), symlink("d", "/outside"), file("d/victim")],
    ["d", "outside/", "outside/victim"],
  ],
  [
    "a parent of a parent that becomes a symlink",
    [file("a/b/first", "1"), symlink("a", "/outside"), file("a/b/victim")],
    ["a", "outside/", "outside/b/", "outside/b/victim"],
  ],
  ["a file over a symlink (CVE-2018-20834)", [symlink("l", "@/victim"), file("l")], ["l"]],
  [
    "a directory over a symlink, then its mode (CVE-2021-32760)",
    [symlink("l", "@"), { name: "l/", mode: 0o777 }, file("l/victim")],
    ["l/", "l/victim"],
  ],
  ["a whiteout of a symlink", [symlink("l", "@"), file(".wh.l", "")], ["l"]],
  ["an opaque mark through a symlink", [symlink("l", "@"), file("l/.wh..wh..opq", "")], ["l", "@/"]],
  ["an absolute hard link", [file("target", "t"), hardlink("x", "/target")], ["target", "x"]],
  ["a name with a line feed", [file("a\nb")], ["a\nb"]],
  ["AUFS' own files", [file(".wh..wh.aufs", ""), file(".wh..wh.plnk/1.2", "x")], []],
];

describe("a hostile layer", () => {
  test.skipIf(!isRoot).each(refused)(
    title("is refused for %s, and the message names the entry"),
    (_, entries) => {
      using sandbox = new AttackedSandbox();
      const before = sandbox.outside();

      const attack = (): unknown => sandbox.unpack(sandbox.aim(entries));

      expect(attack).toThrow(
        expect.objectContaining({
          code: "LAYER_INVALID",
          message: expect.stringMatching(/^Cannot unpack entry "/),
        }),
      );
      expect(sandbox.outside()).toEqual(before);
    },
  );

  test.skipIf(!isRoot).each(contained)(title("stays inside with %s"), (_, entries, expected) => {
    using sandbox = new AttackedSandbox();
    const before = sandbox.outside();

    const { path } = sandbox.unpack(sandbox.aim(entries));

    const inside = expected.flatMap((name) => (name === "@/" ? sandbox.pathInside() : [name]));
    expect(listTree(path)).toEqual([...inside].sort());
    expect(sandbox.outside()).toEqual(before);
  });

  test.skipIf(!isRoot)(title("cannot hide or redirect by overlay's own attributes"), () => {
    using sandbox = new LayerSandbox();
    const xattrs = {
      "trusted.overlay.opaque": "y",
      "trusted.overlay.redirect": "/etc",
      "trusted.md5sum": "x",
      "user.overlay.opaque": "y",
      "user.kept": "1",
    };

    const { path } = sandbox.unpack([{ name: "d/", xattrs }]);

    expect(snapshotTree(path)["d"]?.xattrs).toEqual(["user.kept=31"]);
  });

  test.skipIf(!isRoot)(title("cannot link to a file outside through a symlink"), () => {
    using sandbox = new AttackedSandbox();
    const entries = sandbox.aim([symlink("esc", "@"), hardlink("x", "esc/victim")]);

    const { result } = sandbox.unpack(entries);

    expect(result.links).toEqual([{ path: "x", target: "esc/victim", entry: "x" }]);
  });

  test.skipIf(!isRoot)(title("may nest as deep as the kernel's paths, and no deeper"), () => {
    using sandbox = new LayerSandbox();
    const deep = (levels: number): readonly TarEntry[] => [file(`${"d/".repeat(levels)}f`)];

    const { result } = sandbox.unpack(deep(2000));

    expect(result.implied).toHaveLength(2000);
    expect(() => sandbox.unpack(deep(2100))).toThrow(expect.objectContaining({ code: "ARCHIVE_INVALID" }));
  });
});

/** Has a directory beside the layers that nothing may change. */
class AttackedSandbox extends LayerSandbox {
  readonly #victims = `${this.path}/outside`;

  constructor() {
    super();
    mkdirSync(this.#victims);
    writeFileSync(`${this.#victims}/victim`, "untouched");
    writeFileSync(`${this.path}/victim`, "untouched");
  }

  /** Everything but the layers. */
  outside(): object {
    return snapshotTree(this.path, (path) => (path === "." || path.startsWith("layer-") ? undefined : {}));
  }

  /** Puts the real path where the archive says `@`. */
  aim(entries: readonly TarEntry[]): readonly TarEntry[] {
    return entries.map((entry) =>
      typeof entry.link === "string" ? { ...entry, link: entry.link.replace("@", this.#victims) } : entry,
    );
  }

  /** Directories that the absolute path of the victims has when it is taken inside a layer. */
  pathInside(): string[] {
    const names = this.#victims.split("/").slice(1);
    return names.map((_, index) => `${names.slice(0, index + 1).join("/")}/`);
  }
}
