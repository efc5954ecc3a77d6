/**
 * Commands that work on the store, each with what has to be there before, and the look at the store after a fault hit it:
 * what a person finds who lists, checks, tries again and cleans up (the invariants I1 to I6 below).
 *
 *     I1 no blob with another digest          I4 what comes next works: the command itself, once more
 *     I2 names lead to whole images only      I5 nothing is left of work that was begun
 *     I3 a list never fails                   I6 removing twice is removing; in the end the store is empty
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { keepLayersAs } from "./hostile_archive.ts";
import { type BuiltDocument, buildImage, type LayerSpec } from "./image_builder.ts";
import type { PullPlace } from "./pull_place.ts";
import { noise } from "./registry_fixture.ts";
import { snapshotTree, type TreeSnapshot } from "./tree_snapshot.ts";

/** One command. */
export interface StoreVerb {
  readonly name: string;
  readonly words: (place: PullPlace) => readonly string[];
  /** Brings the store to where the command is used. */
  readonly before: (place: PullPlace) => Promise<void>;
  /** What does the same when it may have been done already, in part or whole [words]. */
  readonly again?: (place: PullPlace) => ReadonlyArray<readonly string[]>;
  /** For the command itself. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names that are there after it was done. */
  readonly names: (place: PullPlace) => readonly string[];
}

const shared: LayerSpec = { entries: [{ name: "etc/" }, { name: "etc/shared", data: "shared" }] };
/** A parent that no entry describes, a link to a file below, a whiteout, attributes: what a layer can ask for. */
const upper: LayerSpec = {
  compression: "zstd",
  entries: [
    { name: "var/lib/one", data: noise(3000), xattrs: { "user.kept": "1" } },
    { name: "etc/linked", type: "hardlink", link: "etc/shared" },
    { name: "etc/.wh.gone" },
    { name: "link", type: "symlink", link: "etc" },
    { name: "pipe", type: "fifo" },
  ],
};
/** Large enough for the two threads of a lane. */
const large: LayerSpec = { entries: [{ name: "usr/" }, { name: "usr/large", data: noise(1_500_000) }] };

/** What the registry of these tests serves. */
export const verbImages: Readonly<Record<string, BuiltDocument>> = {
  "one:latest": buildImage({ layers: [shared, { entries: [{ name: "one" }] }] }),
  "two:7": buildImage({ layers: [shared, upper] }),
  "large:latest": buildImage({ layers: [shared, large] }),
};

const run = async (place: PullPlace, ...words: readonly string[]): Promise<void> => {
  const { exitCode, stderr } = await place.bunker(words);
  if (exitCode !== 0) throw new Error(`"bunker ${words.join(" ")}" ended with ${exitCode}: ${stderr}`);
};
const pull = (...names: readonly string[]) => {
  return async (place: PullPlace): Promise<void> => {
    for (const name of names) await place.pull(name);
  };
};
const archiveOf = ({ sandbox }: PullPlace): string => `${sandbox.directory}/archive.tar`;
const layoutOf = ({ sandbox }: PullPlace): string => `${sandbox.directory}/layout`;
const one = (place: PullPlace): string => `${place.name("one")}:latest`;
const two = (place: PullPlace): string => place.name("two:7");

/** Every command that changes the store or reads all of it. */
export const storeVerbs: readonly StoreVerb[] = [
  {
    name: "pull",
    before: pull("one"),
    words: (place) => ["pull", "-q", two(place)],
    names: (place) => [one(place), two(place)],
  },
  {
    name: "the first pull",
    before: async () => undefined,
    words: (place) => ["pull", "-q", one(place)],
    names: (place) => [one(place)],
  },
  {
    name: "pull of a large layer",
    before: async () => undefined,
    words: (place) => ["pull", "-q", place.name("large")],
    names: (place) => [`${place.name("large")}:latest`],
  },
  {
    name: "load",
    before: async (place) => {
      await pull("one")(place);
      if (existsSync(archiveOf(place))) return;
      await pull("two:7")(place);
      await run(place, "save", "-o", archiveOf(place), one(place), two(place));
      await run(place, "rmi", two(place));
    },
    words: (place) => ["load", "-q", "-i", archiveOf(place)],
    names: (place) => [one(place), two(place)],
  },
  {
    name: "tag",
    before: pull("one"),
    words: (place) => ["tag", one(place), "local/other:1"],
    names: (place) => [one(place), "local/other:1"],
  },
  {
    name: "rmi",
    before: pull("one", "two:7"),
    words: (place) => ["rmi", two(place)],
    again: (place) => [
      ["rmi", "-f", two(place)],
      ["image", "prune", "-f"],
    ],
    names: (place) => [one(place)],
  },
  {
    name: "image prune",
    before: async (place) => {
      await pull("one", "two:7")(place);
      await run(place, "tag", one(place), two(place));
    },
    words: () => ["image", "prune", "-f"],
    names: (place) => [one(place), two(place)],
  },
  {
    name: "pull of layers that become files",
    before: async (place) => keepLayersAs(place, "erofs"),
    words: (place) => ["pull", "-q", two(place)],
    names: (place) => [two(place)],
  },
  {
    name: "import",
    before: async (place) => {
      await pull("one")(place);
      if (!existsSync(archiveOf(place))) await run(place, "export", "-o", archiveOf(place), one(place));
    },
    words: (place) => ["import", archiveOf(place), "local/imported:1"],
    // The same image each time.
    env: { SOURCE_DATE_EPOCH: "1700000000" },
    names: (place) => [one(place), "local/imported:1"],
  },
  {
    name: "copy",
    before: async (place) => {
      rmSync(layoutOf(place), { recursive: true, force: true });
      await pull("one")(place);
    },
    words: (place) => ["copy", "-q", one(place), `oci:${layoutOf(place)}:1`],
    names: (place) => [one(place)],
  },
  {
    name: "export",
    before: pull("two:7"),
    words: (place) => ["export", "-o", `${place.sandbox.directory}/exported.tar`, two(place)],
    names: (place) => [two(place)],
  },
  {
    name: "save",
    before: pull("two:7"),
    words: (place) => ["save", "-o", `${place.sandbox.directory}/saved.tar`, two(place)],
    names: (place) => [two(place)],
  },
  {
    name: "system check --repair",
    before: pull("one"),
    words: () => ["system", "check", "--repair"],
    names: (place) => [one(place)],
  },
];

const SETTLE_MS_MAX = 3000;
const SETTLE_STEP_MS = 10;

/** Directories of the store that hold images, or work on them. */
const CONTENT = ["blobs/sha256", "l", "layers", "refs", "tmp"];

/** Everything that the unpacked layers hold, but for times that no archive gives: of their roots, and of whiteouts. */
export function layerTrees({ sandbox }: PullPlace): TreeSnapshot {
  return snapshotTree(`${sandbox.root}/l`, (path, { type }) => {
    if (path === ".") return undefined;
    return type === "char" || !path.includes("/") ? { mtime: "" } : {};
  });
}

/**
 * What is wrong after a fault; leaves an empty store.
 * @param trees the layers as they are after the command without a fault
 */
export async function violationsAfter(
  place: PullPlace,
  verb: StoreVerb,
  trees = layerTrees(place),
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const expectExit = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await place.bunker(words, {
      timeoutMs: 30_000,
      env: verb.env ?? {},
    });
    if (exitCode !== 0) wrong.push(`${words.join(" ")}: ${exitCode} ${stderr} ${stdout}`);
    return stdout;
  };
  await expectExit("images", "-q");
  await expectExit("system", "check");
  for (const words of verb.again?.(place) ?? [verb.words(place)]) await expectExit(...words);
  await expectExit("system", "check");
  const names = namesOf(await expectExit("images", "--json"));
  const wanted = [...verb.names(place)].sort();
  if (!Bun.deepEquals(names, wanted)) wrong.push(`images: ${names.join()} in place of ${wanted.join()}`);
  const changed = differences(layerTrees(place), trees);
  if (changed.length > 0) wrong.push(`layers: ${changed.join()}`);
  wrong.push(...layoutFaults(layoutOf(place)));
  const indexed = indexedIn(place);
  if (!Bun.deepEquals(indexed, wanted)) wrong.push(`index.json: ${indexed.join()}`);
  wrong.push(...(await leftIn(place, ["tmp"])));
  if (names.length > 0) await expectExit("rmi", "-f", ...names);
  await expectExit("rmi", "-f", two(place));
  await expectExit("image", "prune", "-f");
  return [...wrong, ...(await leftIn(place, CONTENT))];
}

/** What lies in directories of the store after a process in the background has had its time. */
async function leftIn({ sandbox }: PullPlace, names: readonly string[]): Promise<readonly string[]> {
  for (let waitedMs = 0; ; waitedMs += SETTLE_STEP_MS) {
    const temporary = filesIn(sandbox.root).filter((path) => /(?:^|\/)\.tmp-/.test(path));
    const left = names
      .map((name) => `${name}: ${filesIn(`${sandbox.root}/${name}`).join()}`)
      .filter((line) => !line.endsWith(": "));
    if ((left.length === 0 && temporary.length === 0) || waitedMs >= SETTLE_MS_MAX)
      return [...left, ...temporary];
    await Bun.sleep(SETTLE_STEP_MS);
  }
}

function namesOf(json: string): readonly string[] {
  try {
    const images = JSON.parse(json) as readonly { repository: string; tag: string }[];
    return images.map(({ repository, tag }) => `${repository}:${tag}`).sort();
  } catch {
    // What is no list is another list than the one that is wanted.
    return [json];
  }
}

/** Paths that two trees do not have alike. */
function differences(one: TreeSnapshot, other: TreeSnapshot): readonly string[] {
  const paths = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...paths].filter((path) => !Bun.deepEquals(one[path], other[path]));
}

/** What is wrong with an OCI layout, where there is one. */
function layoutFaults(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  const blobs = filesIn(`${path}/blobs/sha256`);
  const other = blobs.filter((name) => {
    const bytes = readFileSync(`${path}/blobs/sha256/${name}`);
    return new Bun.CryptoHasher("sha256").update(bytes).digest("hex") !== name;
  });
  const { manifests } = JSON.parse(readFileSync(`${path}/index.json`, "utf8")) as {
    manifests: readonly { digest: string }[];
  };
  const missing = manifests.filter(({ digest }) => !blobs.includes(digest.slice("sha256:".length)));
  const temporary = readdirSync(path).filter((name) => name.startsWith(".tmp-"));
  return [...other, ...missing.map(({ digest }) => digest), ...temporary].map((name) => `layout: ${name}`);
}

/** What other tools see that read the store as an OCI layout. */
function indexedIn({ sandbox }: PullPlace): readonly string[] {
  const path = `${sandbox.root}/index.json`;
  if (!existsSync(path)) return ["none"];
  const { manifests } = JSON.parse(readFileSync(path, "utf8")) as {
    manifests: readonly { annotations: Readonly<Record<string, string>> }[];
  };
  const names = manifests.map(({ annotations }) => annotations["org.opencontainers.image.ref.name"] ?? "");
  return names.map((name) => name.replace(/^docker\.io\//, "")).sort();
}

const filesIn = (path: string): readonly string[] =>
  existsSync(path) ? (readdirSync(path, { recursive: true }) as string[]) : [];
