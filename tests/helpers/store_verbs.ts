/** Commands that work on the store, each with what has to be there before; store_violations.ts looks at what they leave. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { keepLayersAs } from "./hostile_archive.ts";
import { type BuiltImage, buildImage, type LayerSpec, sha256Digest } from "./image_builder.ts";
import type { PullPlace } from "./pull_place.ts";
import { noise } from "./registry_fixture.ts";

/** One command. */
export interface StoreVerb {
  readonly name: string;
  readonly words: (place: PullPlace) => readonly string[];
  /** Brings the store to where the command is used. */
  readonly before: (place: PullPlace) => Promise<void>;
  /** What does the same when it may have been done already, in part or whole [words]. */
  readonly again?: (place: PullPlace) => ReadonlyArray<readonly string[]>;
  /** For the command itself. */
  readonly env?: (place: PullPlace) => Readonly<Record<string, string>>;
  /** How many points of it a sample has, where a few tell enough. */
  readonly sample?: number;
  /** Set when it is for a store that is not whole, and makes it so. */
  readonly mends?: true;
  /** What of it is in the way of removing the images. */
  readonly undo?: readonly string[];
  /** What is wrong beside the images after it was done. */
  readonly faults?: (place: PullPlace) => readonly string[];
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
const large: LayerSpec = { entries: [{ name: "usr/" }, { name: "usr/large", data: noise(7_000_000) }] };

/** What the registry of these tests serves. */
export const verbImages: Readonly<Record<string, BuiltImage>> = {
  "one:latest": buildImage({ layers: [shared, { entries: [{ name: "one" }] }] }),
  "two:7": buildImage({ layers: [shared, upper] }),
  "large:latest": buildImage({ layers: [shared, large] }),
  "new:latest": buildImage({ layers: [shared, { entries: [{ name: "new" }] }] }),
};

const imageOf = (name: string): BuiltImage => verbImages[name] as BuiltImage;
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
/** The layout that `copy` writes. */
export const layoutOf = ({ sandbox }: PullPlace): string => `${sandbox.directory}/layout`;
const homeOf = ({ sandbox }: PullPlace): string => `${sandbox.directory}/home`;
const one = (place: PullPlace): string => `${place.name("one")}:latest`;
/** Where nothing is before a push. */
const pushed = (place: PullPlace): string => place.name("pushed:1");
/** An image that no test may mind to lose. */
export const two = (place: PullPlace): string => place.name("two:7");

/** Both images, of which one has lost its name to the other. */
const pullAndTakeTag = async (place: PullPlace): Promise<void> => {
  await pull("one", "two:7")(place);
  await run(place, "tag", one(place), two(place));
};

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
    before: pullAndTakeTag,
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
    env: () => ({ SOURCE_DATE_EPOCH: "1700000000" }),
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
    faults: (place) => (existsSync(`${layoutOf(place)}/index.json`) ? [] : ["layout: none"]),
  },
  {
    name: "export",
    before: pull("two:7"),
    words: (place) => ["export", "-o", `${place.sandbox.directory}/exported.tar`, two(place)],
    names: (place) => [two(place)],
    faults: (place) => outputFaults(place, "exported.tar"),
  },
  {
    name: "save",
    before: pull("two:7"),
    words: (place) => ["save", "-o", `${place.sandbox.directory}/saved.tar`, two(place)],
    names: (place) => [two(place)],
    faults: (place) => outputFaults(place, "saved.tar"),
  },
  {
    name: "system check --repair",
    before: pull("one"),
    words: () => ["system", "check", "--repair"],
    names: (place) => [one(place)],
  },
  {
    name: "repair of damage",
    sample: 4,
    before: async (place) => {
      await pull("one", "two:7")(place);
      damage(place);
    },
    mends: true,
    words: () => ["system", "check", "--full", "--repair"],
    names: (place) => [one(place)],
  },
  {
    name: "system prune",
    sample: 4,
    before: pullAndTakeTag,
    words: () => ["system", "prune", "-f"],
    names: (place) => [one(place), two(place)],
  },
  {
    name: "pull of a tag that means another image",
    sample: 4,
    before: async (place) => {
      place.registry.add("moved:latest", imageOf("one:latest"));
      await pull("moved")(place);
      place.registry.add("moved:latest", imageOf("new:latest"));
    },
    words: (place) => ["pull", "-q", place.name("moved")],
    names: (place) => [
      `${place.name("moved")}:latest`,
      `${place.name("moved")}@${imageOf("one:latest").digest}`,
    ],
  },
  {
    name: "push",
    sample: 4,
    before: async (place) => {
      await pull("two:7")(place);
      await run(place, "tag", two(place), pushed(place));
      // With that name here the registry would be asked to mount its layers.
      await run(place, "rmi", two(place));
      for (const part of Object.values(place.registry.content("pushed") ?? {})) part.clear();
    },
    words: (place) => ["push", "-q", pushed(place)],
    names: (place) => [pushed(place)],
    faults: pushFaults,
  },
  {
    name: "image mount",
    sample: 4,
    before: pull("one", "two:7"),
    words: (place) => ["image", "mount", two(place)],
    undo: ["image", "unmount", "--all"],
    names: (place) => [one(place), two(place)],
    faults: (place) => mountFaults(place, ["etc", "link", "pipe", "var"]),
  },
  {
    name: "image prune of all but what is mounted",
    sample: 4,
    before: async (place) => {
      await pull("one", "two:7")(place);
      await run(place, "image", "mount", two(place));
    },
    words: () => ["image", "prune", "-af"],
    undo: ["image", "unmount", "--all"],
    names: (place) => [two(place)],
    faults: (place) => mountFaults(place, ["etc", "link", "pipe", "var"]),
  },
  {
    name: "image unmount",
    sample: 4,
    before: async (place) => {
      await pull("two:7")(place);
      await run(place, "image", "mount", two(place));
    },
    words: (place) => ["image", "unmount", two(place)],
    again: () => [["image", "unmount", "--all"]],
    names: (place) => [two(place)],
    faults: (place) => mountFaults(place, []),
  },
  {
    name: "login",
    sample: 4,
    before: async (place) => {
      await pull("one")(place);
      writeDockerConfig(place, { auths: { "other.example": OTHER_LOGIN } });
    },
    words: (place) => ["login", "-u", "me", "-p", "secret", place.registry.host],
    names: (place) => [one(place)],
    env: (place) => ({ HOME: homeOf(place) }),
    faults: (place) => loginFaults(place, [place.registry.host, "other.example"]),
  },
  {
    name: "logout",
    sample: 4,
    before: async (place) => {
      await pull("one")(place);
      const auths = { "other.example": OTHER_LOGIN, [place.registry.host]: OTHER_LOGIN };
      writeDockerConfig(place, { auths });
    },
    words: (place) => ["logout", place.registry.host],
    names: (place) => [one(place)],
    env: (place) => ({ HOME: homeOf(place) }),
    faults: (place) => loginFaults(place, ["other.example"]),
  },
];

const OTHER_LOGIN = { auth: Buffer.from("other:secret").toString("base64") };

function writeDockerConfig(place: PullPlace, value: object): void {
  rmSync(homeOf(place), { recursive: true, force: true });
  mkdirSync(`${homeOf(place)}/.docker`, { recursive: true });
  writeFileSync(`${homeOf(place)}/.docker/config.json`, JSON.stringify({ ...value, kept: 1 }));
}

/** What is wrong with docker's file, and beside it. */
function loginFaults(place: PullPlace, registries: readonly string[]): readonly string[] {
  const names = readdirSync(`${homeOf(place)}/.docker`);
  const { auths, kept } = JSON.parse(readFileSync(`${homeOf(place)}/.docker/config.json`, "utf8")) as {
    auths: object;
    kept: unknown;
  };
  const found = { names, registries: Object.keys(auths).sort(), kept };
  const wanted = { names: ["config.json"], registries: [...registries].sort(), kept: 1 };
  return Bun.deepEquals(found, wanted) ? [] : [`config.json: ${JSON.stringify(found)}`];
}

/** Digests of archives as a command without a fault has written them. */
const outputs = new WeakMap<PullPlace, string>();

/** What is wrong with an archive: it is not what the first look at that place found. */
function outputFaults(place: PullPlace, name: string): readonly string[] {
  const path = `${place.sandbox.directory}/${name}`;
  const digest = existsSync(path) ? sha256Digest(readFileSync(path)) : "none";
  if (!outputs.has(place)) outputs.set(place, digest);
  const left = readdirSync(place.sandbox.directory).filter((each) => each.startsWith(name));
  for (const each of left) rmSync(`${place.sandbox.directory}/${each}`);
  return digest === outputs.get(place) && left.length === 1 ? [] : [`${left.join()}: ${digest}`];
}

/** What is wrong with what a registry has after a push. */
function pushFaults({ registry }: PullPlace): readonly string[] {
  const { digest, configDigest, layers } = imageOf("two:7");
  const content = registry.content("pushed");
  const wanted = [configDigest, ...layers.map(({ descriptor }) => descriptor.digest)];
  const missing = wanted.filter((each) => content?.blobs.has(each) !== true);
  const isNamed = content?.tags.get("1") === digest && content.manifests.has(digest);
  return [...missing, ...(isNamed ? [] : ["the tag"])].map((what) => `registry: ${what} is missing`);
}

/** What is wrong with the mounts of images: each has to show these names. */
function mountFaults({ sandbox: { root } }: PullPlace, wanted: readonly string[]): readonly string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .filter((point) => point.startsWith(`${root}/mounts/`));
  const shown = points.flatMap((point) => readdirSync(point)).sort();
  return Bun.deepEquals(shown, wanted) ? [] : [`mounts: ${shown.join()}`];
}

/** A layer that its blob can mend is damaged, and a manifest that nothing can mend. */
function damage({ sandbox: { root } }: PullPlace): void {
  const layer = `${root}/l/d${imageOf("one:latest").layers[1]?.diffId.slice("sha256:".length).slice(0, 24)}`;
  if (existsSync(layer)) rmSync(`${layer}/one`);
  else truncateSync(`${layer}.erofs`, 4096);
  writeFileSync(`${root}/blobs/sha256/${imageOf("two:7").digest.slice("sha256:".length)}`, "torn");
}
