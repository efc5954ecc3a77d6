/**
 * The look at the store after a fault hit a command: what a person finds who lists, checks, tries again and cleans up.
 *
 *     I1 no blob with another digest          I4 what comes next works: the command itself, once more
 *     I2 names lead to whole images only      I5 nothing is left of work that was begun
 *     I3 a list never fails                   I6 removing twice is removing; in the end the store is empty
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { PullPlace } from "./pull_place.ts";
import { layoutOf, type StoreVerb, two } from "./store_verbs.ts";
import { snapshotTree, type TreeSnapshot } from "./tree_snapshot.ts";

const SETTLE_MS_MAX = 15_000;
const SETTLE_STEP_MS = 10;

/** Directories of the store that hold images, or work on them. */
const CONTENT = ["blobs/sha256", "l", "layers", "refs", "tmp", "mounts"];
/** The lowest layer of every mount. */
const KEPT = "mounts/empty";

/** Everything that the unpacked layers hold, but for times that no archive gives: of their roots, and of whiteouts. */
export function layerTrees({ sandbox }: PullPlace): TreeSnapshot {
  return snapshotTree(`${sandbox.root}/l`, (path, { type }) => {
    if (path === ".") return undefined;
    return type === "char" || !path.includes("/") ? { mtime: "" } : {};
  });
}

/** What is known of the command. */
export interface Before {
  /** The layers as they are after it without a fault [as they are]. */
  readonly trees?: TreeSnapshot;
  /** It has ended well: all that it promises is there before anybody tries again [false]. */
  readonly hasEndedWell?: boolean;
}

/** What is wrong after a fault; leaves an empty store. */
export async function violationsAfter(
  place: PullPlace,
  verb: StoreVerb,
  { trees = layerTrees(place), hasEndedWell = false }: Before = {},
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const expectExit = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await place.bunker(words, {
      timeoutMs: 30_000,
      env: verb.env?.(place) ?? {},
    });
    if (exitCode !== 0) wrong.push(`${words.join(" ")}: ${exitCode} ${stderr} ${stdout}`);
    return stdout;
  };
  const wanted = [...verb.names(place)].sort();
  const listed = namesOf(await expectExit("images", "--json"));
  if (hasEndedWell) {
    if (!Bun.deepEquals(listed, wanted)) wrong.push(`after success: ${listed.join()}`);
    wrong.push(...(verb.faults?.(place) ?? []).map((fault) => `after success: ${fault}`));
  }
  if (verb.mends !== true) await expectExit("system", "check");
  for (const words of verb.again?.(place) ?? [verb.words(place)]) await expectExit(...words);
  await expectExit("system", "check");
  const names = namesOf(await expectExit("images", "--json"));
  if (!Bun.deepEquals(names, wanted)) wrong.push(`images: ${names.join()} in place of ${wanted.join()}`);
  const changed = differences(layerTrees(place), trees);
  if (changed.length > 0) wrong.push(`layers: ${changed.join()}`);
  wrong.push(...layoutFaults(layoutOf(place)));
  const indexed = indexedIn(place);
  if (!Bun.deepEquals(indexed, wanted)) wrong.push(`index.json: ${indexed.join()}`);
  wrong.push(...(await leftIn(place, ["tmp"])));
  wrong.push(...(verb.faults?.(place) ?? []));
  if (verb.undo !== undefined) await expectExit(...verb.undo);
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
      .map((name) => {
        const files = filesIn(`${sandbox.root}/${name}`).filter((file) => `${name}/${file}` !== KEPT);
        return `${name}: ${files.join()}`;
      })
      .filter((line) => !line.endsWith(": "));
    if ((left.length === 0 && temporary.length === 0) || waitedMs >= SETTLE_MS_MAX)
      return [...left, ...temporary];
    await Bun.sleep(SETTLE_STEP_MS);
  }
}

function namesOf(json: string): readonly string[] {
  try {
    const images = JSON.parse(json) as readonly { repository: string; tag?: string; digest: string }[];
    return images
      .map(({ repository, tag, digest }) => repository + (tag === undefined ? `@${digest}` : `:${tag}`))
      .sort();
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
