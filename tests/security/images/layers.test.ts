/**
 * Attacks on whoever unpacks a layer, by the names under which they are known: each is refused with the name of the entry
 * and what it tried, or stays inside its layer, on every way into the store.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { digestOfExecutable, type LayerRow, layerRowTest } from "../../helpers/hostile_archive.ts";
import { file, hardlink, symlink } from "../../helpers/hostile_layers.ts";
import { executable } from "../../helpers/requires.ts";

const before = existsSync(executable) ? digestOfExecutable() : "";

/** Upwards beyond any root, then down to the host's tree. */
const up = `${"../".repeat(24)}`;
const NO_TARGET = /Cannot unpack entry ".+": it is a hard link to something that does not exist/;
const OUT = /Cannot unpack entry ".+": its (?:path|link target) leads out of the layer/;

const docker: readonly LayerRow[] = [
  {
    id: "CVE-2014-6407",
    what: "a symlink, a hard link through it, and a write to that",
    entries: [symlink("link", "@"), hardlink("hard", "link/victim"), file("hard")],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "CVE-2014-6407",
    what: "a hard link to a file of the host",
    entries: [hardlink("hard", "@/etc/shadow")],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "CVE-2014-9356",
    what: "a file through an absolute symlink",
    entries: [symlink("link", "@"), file("link/victim")],
    outcome: { holds: ["link", "@/", "@/victim"] },
  },
  {
    id: "CVE-2014-9356",
    what: "a file through a symlink that climbs out",
    entries: [symlink("link", `${up}@`), file("link/victim")],
    outcome: { holds: ["link", "@/", "@/victim"] },
  },
  {
    id: "CVE-2021-32760, CVE-2021-41089",
    what: "the mode of a directory that is a symlink",
    entries: [symlink("l", "@"), { name: "l/", mode: 0o777 }],
    outcome: { holds: ["l/"] },
  },
  {
    id: "CVE-2021-32760, CVE-2021-41089",
    what: "the mode of a hard link to a symlink",
    entries: [symlink("l", "@/victim"), { ...hardlink("h", "l"), mode: 0o4777 }],
    outcome: { holds: ["l", "h"] },
  },
  {
    id: "CVE-2025-47290",
    what: "a directory that becomes a symlink while its descriptor is remembered",
    entries: [{ name: "d/" }, file("d/one"), symlink("d", "@"), file("d/victim")],
    outcome: { holds: ["d", "@/", "@/victim"] },
  },
  {
    id: "CVE-2021-21272",
    what: "a symlink to the outside and a file behind a second one",
    entries: [symlink("a", "@"), symlink("b", "a/etc"), file("b/passwd")],
    outcome: { holds: ["a", "b", "@/", "@/etc/", "@/etc/passwd"] },
  },
  {
    id: "CVE-2026-50163",
    what: "a hard link whose target exists in the working directory",
    entries: [hardlink("x", "victim"), file("x")],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "CVE-2026-50163",
    what: "a hard link to a file of the working directory that nothing replaces",
    entries: [hardlink("x", "victim")],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "CVE-2021-29136",
    what: "the root as a symlink",
    entries: [symlink("./", "@"), file("victim")],
    outcome: { refused: /Cannot unpack entry ".\/": it makes a symlink of the layer's root/ },
  },
  {
    id: "CVE-2021-29136",
    what: "the root as a symlink by another spelling",
    entries: [symlink("a/..", "@"), file("victim")],
    outcome: { refused: /it makes a symlink of the layer's root/ },
  },
];

const nodeTar: readonly LayerRow[] = [
  {
    id: "CVE-2018-20834",
    what: "a hard link, and a file that overwrites its target",
    entries: [hardlink("x", "@/victim"), file("x")],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "CVE-2021-32803",
    what: "a directory, a symlink of its name, and a file through it",
    entries: [{ name: "d/" }, symlink("d", "@"), file("d/victim")],
    outcome: { holds: ["d", "@/", "@/victim"] },
  },
  {
    id: "CVE-2021-32804",
    what: "a path that begins with many slashes",
    entries: [file("////victim"), file("//./etc/passwd")],
    outcome: { holds: ["victim", "etc/", "etc/passwd"] },
  },
  {
    id: "CVE-2021-37701",
    what: "a directory under names with backslashes and more slashes",
    entries: [{ name: "d/" }, symlink("d", "@"), file("d\\victim"), file("d//victim")],
    outcome: { holds: ["d", "d\\victim", "@/", "@/victim"] },
  },
  {
    id: "CVE-2021-37712, CVE-2026-23950",
    what: "names that are one to Unicode and several to the disk",
    entries: [
      { name: "stra\u00dfe/" },
      symlink("strasse", "@"),
      file("stra\u00dfe/victim"),
      { name: "caf\u00e9/" },
      symlink("cafe\u0301", "@"),
      file("caf\u00e9/victim"),
    ],
    outcome: {
      check: (tree) => {
        expect(tree[latin1("stra\u00dfe/victim")]?.type).toBe("file");
        expect(tree[latin1("caf\u00e9/victim")]?.type).toBe("file");
        expect(tree["strasse"]?.type).toBe("symlink");
        expect(Object.keys(tree)).toHaveLength(7);
      },
    },
  },
  {
    id: "CVE-2021-37713",
    what: "a path of a Windows drive",
    entries: [file("C:../victim"), file("C:\\victim")],
    outcome: { holds: ["C:../", "C:../victim", "C:\\victim"] },
  },
  {
    id: "GHSA-qffp-2rhf-9h96",
    what: "a drive's root with ..",
    entries: [symlink("x", "C:../@"), { name: "C:/../../victim", data: "pwned" }],
    outcome: { refused: OUT },
  },
  {
    id: "GHSA-9ppj-qmqm-q256",
    what: "a hard link whose target has a drive and ..",
    entries: [hardlink("x", "C:/../../victim")],
    outcome: { refused: OUT },
  },
  {
    id: "CVE-2024-28863",
    what: "directories within directories, deeper than any path",
    entries: [file(`${"d/".repeat(2100)}f`)],
    outcome: { refused: /Cannot read archive: a path has \d+ bytes, more than 4095/ },
  },
  {
    id: "CVE-2026-23745",
    what: "a hard link with an absolute target",
    entries: [hardlink("x", "@/victim")],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "CVE-2026-23745",
    what: "a symlink with an absolute target, written through",
    entries: [symlink("x", "@/victim"), file("x")],
    outcome: { holds: ["x"] },
  },
  {
    id: "CVE-2026-24842",
    what: "a hard link with .. in its target",
    entries: [{ name: "a/b/" }, hardlink("a/b/x", "a/b/../../../victim")],
    outcome: { refused: OUT },
  },
  {
    id: "CVE-2026-26960",
    what: "symlinks that climb out in two steps, and a hard link through them",
    entries: [
      { name: "a/b/c/" },
      symlink("a/b/c/up", "../.."),
      symlink("a/b/escape", "c/up/../.."),
      hardlink("a/b/x", "a/b/escape/victim"),
    ],
    outcome: { refused: NO_TARGET },
  },
  {
    id: "GHSA-8x88-c5mf-7j5w",
    what: "a size that is negative",
    entries: [{ name: "x", data: "", size: -512 }, file("y")],
    outcome: { refused: /Cannot read archive: a size is negative \(byte 0\)/ },
  },
];

const python: readonly LayerRow[] = [
  {
    id: "CVE-2025-4517, CVE-2025-4330",
    what: "symlinks whose real path is longer than PATH_MAX",
    entries: longSymlinks(),
    outcome: { refused: /Cannot unpack entry ".+": / },
  },
];

describe("a layer that attacks", () => {
  for (const row of [...docker, ...nodeTar, ...python]) layerRowTest(row);

  test("leaves the executable what it was", () => {
    if (before !== "") expect(digestOfExecutable()).toBe(before);
  });
});

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

/** Sixteen levels of 247 bytes each, with a short symlink beside each, and a last one that climbs out through them. */
function longSymlinks() {
  const long = "d".repeat(247);
  const steps = "abcdefghijklmnop".split("");
  const entries = steps.flatMap((step, index) => {
    const at = steps
      .slice(0, index)
      .map((name) => `${name}/`)
      .join("");
    return [{ name: `${at}${long}/` }, symlink(`${at}${step}`, long)];
  });
  const path = steps.join("/");
  return [
    ...entries,
    symlink(`${path}/${"l".repeat(254)}`, "../".repeat(steps.length)),
    symlink("escape", `${path}/${"l".repeat(254)}/../../../../../../../..@`),
    hardlink("flag", "escape/victim"),
    file("flag"),
  ];
}
