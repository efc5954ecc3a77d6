/**
 * A hostile layer on every way into the store: pulled, loaded as docker's archive and as an OCI layout, imported. After
 * each of them the host is what it was (a tree beside the store, the mounts, the executable), and so is the store.
 */
import { expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { LayerPreference } from "../../src/image/erofs/layer_form.ts";
import { openLayerFiles } from "../../src/image/tree/open_layer_files.ts";
import { walkTree } from "../../src/image/tree/walk_tree.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { findImage } from "../../src/store/find_image.ts";
import { snapshotFiles } from "./files_snapshot.ts";
import { type BuiltImage, buildImage, descriptorOf, type LayerSpec } from "./image_builder.ts";
import { PULL_NEEDS, PullPlace, type Refusal, refusalOf } from "./pull_place.ts";
import { executable } from "./requires.ts";
import { kernelTest, type Sandbox } from "./sandbox.ts";
import { buildTar, type TarEntry } from "./tar_builder.ts";
import { snapshotTree, type TreeSnapshot } from "./tree_snapshot.ts";

/** A way into the store. */
export type Way = "pull" | "load of docker's archive" | "load of an OCI layout" | "import";
export const WAYS: readonly Way[] = ["pull", "load of docker's archive", "load of an OCI layout", "import"];

/** What has to come of it: a refusal whose message matches, or a layer that holds what it must. */
export type Outcome =
  | { readonly refused: RegExp }
  /** All paths of the layer, directories with a "/" behind; `@` as in the entries. */
  | { readonly holds: readonly string[] }
  | { readonly check: (tree: TreeSnapshot) => void };

/** One attack; `@` in names and links stands for the path of a tree of the host's. */
export interface LayerRow {
  /** CVE or GHSA, or what else it is known by. */
  readonly id: string;
  readonly what: string;
  readonly entries?: readonly TarEntry[];
  /** Instead of entries. */
  readonly layer?: LayerSpec;
  readonly outcome: Outcome;
  /** [all] */
  readonly ways?: readonly Way[];
}

const TEST_MS_MAX = 120_000;
const REMOVAL_STEPS_MAX = 500;
const REMOVAL_STEP_MS = 10;
const good = buildImage({ layers: [{ entries: [{ name: "good" }] }] });

/** A test of a row on all of its ways. */
export function layerRowTest(row: LayerRow): void {
  kernelTest(
    `${row.id}: ${row.what}`,
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "good:latest": good });
      const host = new HostWatch(sandbox);
      await place.pull("good");
      const before = contentOf(place);
      const layer = aimedLayer(row, host.outside);
      for (const [way, form] of passagesOf(row)) {
        keepLayersAs(place, form);
        const { words, name } = prepare(place, way, layer);

        const result = await place.bunker(words, { cwd: host.outside, timeoutMs: 30_000 });

        if ("refused" in row.outcome) expectRefusal(way, refusalOf(result), row.outcome.refused);
        else {
          expect({ way, ...result }).toMatchObject({ exitCode: 0, stderr: "" });
          expectLayer(sandbox, name, { outcome: row.outcome, outside: host.outside, form });
          await place.bunker(["rmi", "-f", name]);
          await removed(sandbox);
        }
        expect({ way, store: contentOf(place) }).toEqual({ way, store: before });
        host.expectUnchanged();
      }
    },
    TEST_MS_MAX,
  );
}

/** All ways with layers as directories; with layers as files those that differ in more than their envelope. */
function passagesOf({ ways = WAYS }: LayerRow): ReadonlyArray<readonly [Way, LayerPreference]> {
  const files = ways.filter((way) => way === "pull" || way === "import");
  return [
    ...ways.map((way) => [way, "directories"] as const),
    ...files.map((way) => [way, "erofs"] as const),
  ];
}

/** Has layers of this place kept in another form from now on. */
export function keepLayersAs({ config }: PullPlace, layers: LayerPreference): void {
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), layers }));
}

/** Waits until the process in the background has removed what is much. */
async function removed({ root }: Sandbox): Promise<void> {
  for (let left = REMOVAL_STEPS_MAX; readdirSync(`${root}/tmp`).length > 0 && left > 0; left -= 1)
    await Bun.sleep(REMOVAL_STEP_MS);
}

/** The index is written again whenever an image comes or goes. */
function contentOf(place: PullPlace): TreeSnapshot {
  const content = place.content();
  const index = content["index.json"];
  return index === undefined ? content : { ...content, "index.json": { ...index, mtime: "" } };
}

/** What of the host no image may change. */
export class HostWatch {
  /** A tree with files that an attack aims at. */
  readonly outside: string;
  readonly #state: () => object;
  readonly #before: object;

  constructor({ directory }: Sandbox) {
    this.outside = `${directory}/outside`;
    mkdirSync(`${this.outside}/etc`, { recursive: true });
    for (const name of ["victim", "etc/passwd", "etc/shadow"])
      writeFileSync(`${this.outside}/${name}`, "untouched\n", { mode: 0o600 });
    this.#state = () => ({
      tree: snapshotTree(this.outside),
      mounts: readFileSync("/proc/self/mountinfo", "utf8"),
      executable: identityOf(executable),
    });
    this.#before = this.#state();
  }

  expectUnchanged(): void {
    expect(this.#state()).toEqual(this.#before);
  }
}

/** A write changes one of these whatever a program does to hide it. */
function identityOf(path: string): object {
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return { ino, size, mtimeNs, ctimeNs };
}

/** The digest of the executable, for a test at the end of a file. */
export const digestOfExecutable = (): string =>
  new Bun.CryptoHasher("sha256").update(readFileSync(executable)).digest("hex");

function aimedLayer({ entries = [], layer }: LayerRow, outside: string): LayerSpec {
  const aim = <Value>(value: Value): Value =>
    typeof value === "string" ? (value.replaceAll("@", outside) as Value) : value;
  const aimed = (list: readonly TarEntry[]): readonly TarEntry[] =>
    list.map((entry) => ({
      ...entry,
      name: aim(entry.name),
      ...(entry.link === undefined ? {} : { link: aim(entry.link) }),
    }));
  return layer ?? { entries: aimed(entries) };
}

interface Prepared {
  readonly words: readonly string[];
  /** Name of the image afterwards. */
  readonly name: string;
}

/** Puts the image where it comes from. */
function prepare(place: PullPlace, way: Way, layer: LayerSpec): Prepared {
  const image = buildImage({ layers: [layer] });
  const path = `${place.sandbox.directory}/attack.tar`;
  switch (way) {
    case "pull":
      place.registry.add("attack:latest", image);
      return { words: ["pull", "-q", place.name("attack")], name: `${place.name("attack")}:latest` };
    case "import":
      writeFileSync(path, image.layers[0]?.blob ?? "");
      return { words: ["import", path, "local/attack:import"], name: "local/attack:import" };
    case "load of an OCI layout":
      writeFileSync(path, buildTar(layoutEntries(image, "local/attack:layout")));
      return { words: ["load", "-q", "-i", path], name: "local/attack:layout" };
    case "load of docker's archive":
      writeFileSync(path, buildTar(dockerEntries(image, "local/attack:docker")));
      return { words: ["load", "-q", "-i", path], name: "local/attack:docker" };
  }
}

/** The entries of an archive with an OCI layout. */
export function layoutEntries(image: BuiltImage, name: string): TarEntry[] {
  const annotations = { "io.containerd.image.name": name };
  const index = { schemaVersion: 2, manifests: [{ ...descriptorOf(image), annotations }] };
  const blobs = [...image.blobs, [image.digest, image.bytes] as const];
  return [
    { name: "oci-layout", data: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", data: JSON.stringify(index) },
    ...blobs.map(([digest, data]): TarEntry => ({ name: `blobs/${digest.replace(":", "/")}`, data })),
  ];
}

/** The entries of an archive as `docker save` wrote it before version 25. */
export function dockerEntries({ blobs, configDigest, layers }: BuiltImage, name: string): TarEntry[] {
  const manifest = [
    { Config: "config.json", RepoTags: [name], Layers: layers.map((_, index) => `${index}/layer.tar`) },
  ];
  return [
    { name: "manifest.json", data: JSON.stringify(manifest) },
    { name: "config.json", data: blobs.get(configDigest) ?? "" },
    ...layers.map(({ blob }, index): TarEntry => ({ name: `${index}/layer.tar`, data: blob })),
  ];
}

function expectRefusal(way: Way, { exitCode, message, because, stdout }: Refusal, wanted: RegExp): void {
  expect({ way, exitCode, stdout }).toEqual({ way, exitCode: 125, stdout: "" });
  const said = [message, ...because].join("\n");
  expect(said).toMatch(wanted);
  expect(said).not.toMatch(/Cannot happen|undefined|TypeError/);
}

function expectLayer(
  { root }: Sandbox,
  name: string,
  {
    outcome,
    outside,
    form,
  }: {
    readonly outcome: Exclude<Outcome, { refused: RegExp }>;
    readonly outside: string;
    readonly form: LayerPreference;
  },
): void {
  const [layer = "none"] = findImage(root, parseReference(name))?.layers ?? [];
  // Where the kernel mounts no such file, all layers are directories.
  if (form === "directories") expect(layer).not.toEndWith(".erofs");
  using files = openLayerFiles(root, layer);
  if ("check" in outcome) {
    outcome.check(snapshotFiles(files));
    return;
  }
  const paths = [...walkTree(files)].map(({ path, node }) => (node.kind === "directory" ? `${path}/` : path));
  const inside = outcome.holds.flatMap((path) =>
    path === "@/" ? directoriesTo(outside) : [aimedPath(path, outside)],
  );
  expect(paths.sort()).toEqual([...new Set(inside)].sort());
}

const aimedPath = (path: string, outside: string): string => path.replace("@", outside.slice(1));

/** The directories that the host's path has when it is taken inside a layer. */
function directoriesTo(outside: string): string[] {
  const names = outside.slice(1).split("/");
  return names.map((_, index) => `${names.slice(0, index + 1).join("/")}/`);
}
