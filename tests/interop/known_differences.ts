/**
 * Images that a peer does not show as bunker does, and why: each is a mistake of the peer, or a rule of its own. The tests
 * of random images leave these out; that a difference is still there is a test itself.
 */

import type { TarEntry } from "../helpers/tar_builder.ts";
import type { NodeSnapshot } from "../helpers/tree_snapshot.ts";
import { ACCESS_LIST } from "./random_node.ts";
import type { Peer } from "./tree_comparison.ts";

/** What is at the path: some of its attributes, nothing, or why the whole image is refused. */
export type Shown = Partial<NodeSnapshot> | "nothing" | { readonly refused: RegExp };

export interface KnownDifference {
  readonly peer: Peer;
  readonly what: string;
  readonly layers: ReadonlyArray<readonly TarEntry[]>;
  readonly path: string;
  readonly bunker: Shown;
  readonly shown: Shown;
}

/** ACCESS_LIST with the permissions of a file of mode 0644. */
const INHERITED = "0200000001000600ffffffff02000600e803000004000500ffffffff10000400ffffffff20000400ffffffff";
const DIRECTORY = { type: "directory" };
const noon = "1700000000000000000";

export const knownDifferences: readonly KnownDifference[] = [
  {
    peer: "podman",
    what: "does not look at the layer's own root",
    layers: [[{ name: "./", mode: 0o700, uid: 7 }]],
    path: ".",
    bunker: { mode: "700", owner: "7:0" },
    shown: { mode: "555", owner: "0:0" },
  },
  ...(["umoci", "podman"] as const).map(
    (peer): KnownDifference => ({
      peer,
      // To Go's archive/tar, a record without a value is no record.
      what: "loses extended attributes without a value",
      layers: [[{ name: "a", xattrs: { "user.empty": "" } }]],
      path: "a",
      bunker: { xattrs: ["user.empty="] },
      shown: { xattrs: [] },
    }),
  ),
  ...(["umoci", "podman"] as const).map(
    (peer): KnownDifference => ({
      peer,
      // trusted.* are the kernel's own and overlayfs': an image has no say in them.
      what: "takes the kernel's own attributes from an image",
      layers: [[{ name: "a", xattrs: { "trusted.x": "1" } }]],
      path: "a",
      bunker: { xattrs: [] },
      shown: { xattrs: ["trusted.x=31"] },
    }),
  ),
  {
    peer: "podman",
    what: "moves times before 1970 to 1970, but for symlinks",
    layers: [[{ name: "a", mtime: -5 }]],
    path: "a",
    bunker: { mtime: "-5000000000" },
    shown: { mtime: "0" },
  },
  ...(["umoci", "podman"] as const).map(
    (peer): KnownDifference => ({
      peer,
      what: "refuses GNU's own form of sparse files",
      layers: [[{ name: "a", sparse: { form: "gnu", realSize: 10_000, segments: [] } }]],
      path: "a",
      bunker: { type: "file" },
      shown: { refused: /unknown typeflag|unhandled tar header type/ },
    }),
  ),
  {
    peer: "podman",
    what: "refuses hard links to files of lower layers",
    layers: [[{ name: "a", data: "x" }], [{ name: "b", type: "hardlink", link: "a" }]],
    path: "b",
    bunker: { type: "file", links: ["a"] },
    shown: { refused: /no such file or directory/ },
  },
  {
    peer: "umoci",
    // Its layers are one tree; a file of an overlay has the names that its layer gives it.
    what: "links all names of a lower file, where an overlay has only those of the upper layer",
    layers: [
      [
        { name: "a", data: "x" },
        { name: "b", type: "hardlink", link: "a" },
      ],
      [{ name: "c", type: "hardlink", link: "a" }],
    ],
    path: "c",
    bunker: { links: ["a"] },
    shown: { links: ["a", "b"] },
  },
  {
    peer: "podman",
    what: "gives a directory without an entry root's attributes instead of those below",
    layers: [[{ name: "d/", mode: 0o1777, uid: 5 }], [{ name: "d/a" }]],
    path: "d",
    bunker: { mode: "1777", owner: "5:0", mtime: noon },
    shown: { mode: "755", owner: "0:0" },
  },
  {
    peer: "podman",
    what: "puts a directory in the place of a lower symlink that a path goes through",
    layers: [[{ name: "d/" }, { name: "l", type: "symlink", link: "d" }], [{ name: "l/a" }]],
    path: "l",
    bunker: { type: "symlink" },
    shown: DIRECTORY,
  },
  {
    peer: "podman",
    what: "shows a name that is not there for a whiteout in an opaque directory",
    layers: [
      [{ name: "d/" }, { name: "d/a" }],
      [{ name: "d/" }, { name: "d/.wh.a" }, { name: "d/.wh..wh..opq" }],
    ],
    path: "d/a",
    bunker: "nothing",
    shown: { refused: /ENOENT/ },
  },
  {
    peer: "podman",
    what: "hands a directory's access list on to what the archive puts into it",
    layers: [[{ name: "d/", xattrs: { "system.posix_acl_default": ACCESS_LIST } }, { name: "d/a" }]],
    path: "d/a",
    bunker: { xattrs: [] },
    shown: { xattrs: [`system.posix_acl_access=${INHERITED}`] },
  },
  {
    peer: "umoci",
    what: "lets a directory without an entry keep what an opaque one has hidden, if that comes later",
    layers: [
      [{ name: "d/" }, { name: "d/e/", mode: 0o700 }],
      [{ name: "d/" }, { name: "d/e/a" }, { name: "d/.wh..wh..opq" }],
    ],
    path: "d/e",
    bunker: { mode: "755" },
    shown: { mode: "700" },
  },
  {
    peer: "podman",
    what: "refuses a name that comes twice",
    layers: [
      [
        { name: "a", data: "1" },
        { name: "a", data: "2" },
      ],
    ],
    path: "a",
    bunker: { type: "file" },
    shown: { refused: /duplicates of file paths not supported/ },
  },
  {
    peer: "podman",
    what: "refuses a whiteout of a name that the layer itself has",
    layers: [[{ name: "a", data: "1" }], [{ name: "a", data: "2" }, { name: ".wh.a" }]],
    path: "a",
    bunker: { type: "file" },
    shown: { refused: /file exists/ },
  },
  {
    peer: "podman",
    // GNU tar, umoci and bunker take the attributes of the file that is linked to.
    what: "gives a file the attributes that the entry of a hard link to it has",
    layers: [
      [
        { name: "a", mode: 0o644 },
        { name: "b", type: "hardlink", link: "a", mode: 0o600, uid: 9 },
      ],
    ],
    path: "a",
    bunker: { mode: "644", owner: "0:0" },
    shown: { mode: "600", owner: "9:0" },
  },
  {
    peer: "umoci",
    // Marks are to mean the same wherever they stand in a layer (layer.md): refused when the link comes last, by umoci too.
    what: "makes a hard link to what the layer hides afterwards",
    layers: [
      [{ name: "d/" }, { name: "d/a" }],
      [{ name: "l", type: "hardlink", link: "d/a" }, { name: "d/" }, { name: "d/.wh..wh..opq" }],
    ],
    path: "l",
    bunker: { refused: /it is a hard link to something that does not exist/ },
    shown: { type: "file" },
  },
  {
    peer: "umoci",
    // To overlayfs it is a whiteout.
    what: "makes a device of the character device 0:0",
    layers: [[{ name: "a" }], [{ name: "a", type: "char" }]],
    path: "a",
    bunker: "nothing",
    shown: { type: "char" },
  },
];
