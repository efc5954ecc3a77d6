/** Archives that attack whoever unpacks them, by pull, load or import. */
import type { TarEntry } from "./tar_builder.ts";

/** `@` stands for the absolute path of the directory outside. */
export type Attack = readonly [what: string, entries: readonly TarEntry[]];

export const file = (name: string, data = "pwned"): TarEntry => ({ name, data });
export const symlink = (name: string, link: string): TarEntry => ({ name, type: "symlink", link });
export const hardlink = (name: string, link: string): TarEntry => ({ name, type: "hardlink", link });

/** Archives that ask for something outside in so many words. */
export const refused: readonly Attack[] = [
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
export const contained: ReadonlyArray<readonly [...Attack, readonly string[]]> = [
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
  [
    "a symlink in the place of AUFS' links",
    [symlink(".wh..wh.plnk", "@"), symlink(".wh..wh.plnk/l", "@/victim"), file(".wh..wh.plnk/victim")],
    [],
  ],
  [
    "a symlink to AUFS' links",
    [symlink("l", "/.wh..wh.plnk"), file("l/../victim"), hardlink("l/x", "l")],
    ["l", "victim"],
  ],
];
