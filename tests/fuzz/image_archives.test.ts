/**
 * Archives of images, damaged in their documents, their entries, and their bytes: load takes them or refuses them by an
 * error of ours. Afterwards the store is whole, nothing is left in its `tmp`, and nothing is beside it.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { findImages } from "../../src/image/archive/archive_images.ts";
import { loadArchive } from "../../src/image/archive/load_archive.ts";
import { readArchive } from "../../src/image/archive/read_archive.ts";
import { faultOfImage } from "../../src/image/erofs/check_image.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { checkStore } from "../../src/store/check.ts";
import { FUZZ_MS_MAX, FUZZ_SEED, laterAnswerOf, roundsOf } from "../helpers/fuzz.ts";
import { dockerEntries, layoutEntries } from "../helpers/hostile_archive.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { damagedBytes, mutatedJson } from "../helpers/json_mutation.ts";
import { pick, type Random, seededRandom } from "../helpers/random_policy.ts";
import { testIf } from "../helpers/requires.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";
import { bytesOf } from "../helpers/tar_header.ts";

const READ_COUNT = 400;
const LOADED_COUNT = 60;
const CHUNK = 1000;

const image = buildImage({
  layers: [{ entries: [{ name: "etc/" }, { name: "etc/a", data: "a" }] }, { entries: [{ name: "b" }] }],
});
const starts: ReadonlyArray<readonly TarEntry[]> = [
  dockerEntries(image, "local/fuzz:1"),
  layoutEntries(image, "local/fuzz:2"),
  [...layoutEntries(image, "local/fuzz:3"), ...dockerEntries(image, "local/fuzz:3")],
];
const NAMES = [
  "index.json",
  "manifest.json",
  "oci-layout",
  "config.json",
  "0/layer.tar",
  "..",
  "/x",
  "a/../../b",
  "",
  "x\0y",
  "./index.json",
  "blobs/sha256/x",
  "repositories",
  "__proto__",
  "constructor",
];
const TYPES = ["file", "symlink", "hardlink", "dir", "fifo", "char"];

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(`${tmpdir()}/bunker-fuzz-`);
});
afterEach(() => removeTree({ dirfd: AT_FDCWD, path: directory }));

describe(`archives of images, seed ${FUZZ_SEED}`, () => {
  test(
    "are read and searched for images, or refused",
    async () => {
      const random = seededRandom(FUZZ_SEED);
      let found = 0;

      for (let round = roundsOf(READ_COUNT); round > 0; round -= 1) {
        const archive = mutated(random);
        const place = `${directory}/${round}`;
        mkdirSync(place);
        const read = async () =>
          findImages(await readArchive(chunksOf(archive), place, new AbortController().signal));
        if ((await laterAnswerOf(read, () => shown(archive))) !== undefined) found += 1;
        expect(readdirSync(directory)).toEqual([`${round}`]);
        expect(readdirSync(place).filter((name) => !/^\d+$/.test(name))).toEqual([]);
        removeTree({ dirfd: AT_FDCWD, path: place });
      }

      expect(found).toBeGreaterThan(0);
      expect(found).toBeLessThan(roundsOf(READ_COUNT));
    },
    FUZZ_MS_MAX,
  );

  testIf(
    ["root"],
    "are loaded whole or not at all",
    async () => {
      const random = seededRandom(FUZZ_SEED);
      const root = `${directory}/root`;

      for (let round = roundsOf(LOADED_COUNT); round > 0; round -= 1) {
        const archive = mutated(random);
        const load = () =>
          loadArchive(chunksOf(archive), { root, rootless: undefined, signal: new AbortController().signal });
        await laterAnswerOf(load, () => shown(archive));

        expect(readdirSync(directory)).toEqual(["root"]);
        expect(readdirSync(`${root}/tmp`)).toEqual([]);
        expect({ archive: shown(archive), ...(await checkStore(root, faultOfImage)) }).toMatchObject({
          faults: [],
        });
      }
    },
    FUZZ_MS_MAX,
  );
});

const shown = (archive: Uint8Array): string =>
  Buffer.from(Bun.gzipSync(new Uint8Array(archive))).toString("base64");

function* chunksOf(archive: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < archive.length; at += CHUNK) yield archive.subarray(at, at + CHUNK);
}

function mutated(random: Random): Uint8Array {
  let entries = [...pick(random, starts)];
  for (let left = 1 + random(3); left > 0; left -= 1) entries = changed(entries, random);
  const archive = buildTar(entries);
  const damaged = random(5) === 0 ? damagedBytes(archive, random) : archive;
  const form = random(6);
  if (form === 0) return Bun.gzipSync(new Uint8Array(damaged));
  return form === 1 ? new Uint8Array(Bun.zstdCompressSync(new Uint8Array(damaged))) : damaged;
}

function changed(entries: readonly TarEntry[], random: Random): TarEntry[] {
  const at = random(entries.length);
  const entry = entries[at] as TarEntry;
  const others = entries.filter((_, index) => index !== at);
  switch (random(7)) {
    case 0:
      return others;
    case 1:
      return [...others, { ...entry, name: pick(random, NAMES) || "x" }];
    case 2:
      return [...others, { ...entry, type: pick(random, TYPES), link: pick(random, NAMES) }];
    case 3:
      return [...entries, { name: pick(random, NAMES) || "y", data: "{}" }];
    case 4:
      return [...others, { ...entry, data: damagedBytes(bytesOf(entry.data ?? ""), random) }];
    default:
      return withOtherJson(entries, random);
  }
}

/** One of the documents with changes of its own. */
function withOtherJson(entries: readonly TarEntry[], random: Random): TarEntry[] {
  const documents = entries.filter(({ data }) => isJson(data));
  const document = documents[random(Math.max(1, documents.length))];
  if (document === undefined) return [...entries];
  const value = JSON.parse(Buffer.from(bytesOf(document.data ?? "")).toString());
  return entries.map((entry) =>
    entry === document ? { ...entry, data: mutatedJson(value, 3, random) } : entry,
  );
}

function isJson(data: TarEntry["data"]): boolean {
  try {
    return typeof JSON.parse(Buffer.from(bytesOf(data ?? "")).toString()) === "object";
  } catch {
    return false;
  }
}
