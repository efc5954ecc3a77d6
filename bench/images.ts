/**
 * The images that are pulled: made from this machine's files, so that their content is what images consist of, each with
 * layers of gzip and of zstd.
 */
import { existsSync, lstatSync, readFileSync, rmSync } from "node:fs";
import { type BuiltImage, buildImage, type LayerCompression } from "../tests/helpers/image_builder.ts";
import { buildTar, type TarEntry } from "../tests/helpers/tar_builder.ts";
import { output } from "./workspace.ts";

/** Forms of layers that are measured. */
export type BenchCompression = Exclude<LayerCompression, "none">;

/** The archives of an image, bottom first; the same for each compression. */
export interface BenchImage {
  /** Word for `--image=`. */
  readonly name: string;
  readonly layers: readonly Uint8Array[];
}

const ROOT_SIZE = 150_000_000;
/** The lowest of five layers, a minimal Debian; then a compiler, a runtime, its modules, and what an application brings. */
const BASE_SIZE = 120_000_000;
const COMPILER_DIRECTORIES = ["/usr/lib/gcc", "/usr/include"];
const COMPILER_SIZE = 130_000_000;
const APPLICATION_DIRECTORIES = ["/usr/share"];
const APPLICATION_SIZE = 60_000_000;
const SMALL_FILE_COUNT = 30_000;
const SMALL_FILES_A_FOLDER = 40;
const LINES_MAX = 80;
/** Larger files, debugging data mostly, would be all of an image. */
const FILE_SIZE_MAX = 8_000_000;
const BYTES_PER_MB = 1e6;
/** Priorities of Debian's packages. */
const PRIORITIES = ["required", "important", "standard", "optional"];

/** How each image is made. @param directory for temporary files */
const recipes: Readonly<Record<string, (directory: string) => readonly Uint8Array[]>> = {
  tiny: () => [buildTar([{ name: "hello", data: "hello\n" }])],
  root: (directory) => [archiveOf(take(filesOfDebian(), ROOT_SIZE), directory)],
  small: () => [buildTar(smallFiles(SMALL_FILE_COUNT))],
  five: layersOf,
};

/** Words for `--image=`. */
export const imageNames: readonly string[] = Object.keys(recipes);

/** Makes the archives of one image. @param directory for temporary files */
export function makeArchives(name: string, directory: string): BenchImage {
  const recipe = recipes[name];
  if (recipe === undefined) throw new RangeError(`Cannot make image "${name}": expected ${imageNames}`);
  return { name, layers: recipe(directory) };
}

/** The image with its layers compressed, as an image builder would. */
export const compressed = ({ layers }: BenchImage, compression: BenchCompression): BuiltImage =>
  buildImage({ layers: layers.map((tar) => ({ tar, compression })) });

/** A heading: name, number of layers, sizes. */
export function describeImage(
  { name, layers }: BenchImage,
  image: BuiltImage,
  compression: BenchCompression,
): string {
  const tar = layers.reduce((sum, { length }) => sum + length, 0);
  const blobs = image.layers.reduce((sum, { blob }) => sum + blob.length, 0);
  const count = layers.length === 1 ? "1 layer" : `${layers.length} layers`;
  return `${name} (${count}, ${megabytes(tar)} of tar, ${megabytes(blobs)} of ${compression})`;
}

const megabytes = (bytes: number): string =>
  `${(bytes / BYTES_PER_MB).toFixed(bytes < BYTES_PER_MB ? 3 : 0)} MB`;

function layersOf(directory: string): Uint8Array[] {
  const compiler = take(filesBelow(COMPILER_DIRECTORIES, COMPILER_SIZE), COMPILER_SIZE);
  const application = take(filesBelow(APPLICATION_DIRECTORIES), APPLICATION_SIZE);
  return [
    archiveOf(take(filesOfDebian(), BASE_SIZE), directory),
    archiveOf(compiler, directory),
    archiveOf([process.execPath.slice(1)], directory),
    buildTar(smallFiles(SMALL_FILE_COUNT)),
    archiveOf(application, directory),
  ];
}

/** The first names whose files' sizes add up to `size` bytes, without the leading slash. */
function take(paths: readonly string[], size: number): string[] {
  const taken: string[] = [];
  let sum = 0;
  for (const path of paths) {
    if (sum >= size) break;
    taken.push(path.slice(1));
    sum += lstatSync(path).size;
  }
  return taken;
}

/** What a Debian consists of, the most important packages first; something like it on other systems. */
function filesOfDebian(): string[] {
  if (Bun.which("dpkg-query") === null)
    return filesBelow(["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share"]);
  const packages = output(["dpkg-query", "--show", `--showformat=\${Priority} \${Package}\n`]).split("\n");
  const names = PRIORITIES.flatMap((priority) =>
    packages.filter((line) => line.startsWith(`${priority} `)).map((line) => line.slice(priority.length + 1)),
  );
  const known = new Set(filesBelow(["/usr", "/etc", "/var/lib/dpkg"]));
  const files = output(["dpkg-query", "--listfiles", ...names]).split("\n");
  return [...new Set(files)].filter((path) => known.has(path));
}

/** Files, directories and symbolic links in the order of their names. */
function filesBelow(directories: readonly string[], sizeMax = FILE_SIZE_MAX): string[] {
  const wanted = ["(", "-type", "f", "-size", `-${sizeMax}c`, "-o", "-type", "d", "-o", "-type", "l", ")"];
  return output(["find", ...directories.filter(existsSync), ...wanted])
    .split("\n")
    .sort();
}

/** GNU tar makes the archive: owners, modes, times, links as they are. */
function archiveOf(names: readonly string[], directory: string): Uint8Array {
  const list = `${directory}/names`;
  const archive = `${directory}/layer.tar`;
  Bun.spawnSync(["tee", list], { stdin: Buffer.from(names.join("\0")), stdout: "ignore" });
  output(["tar", "-C", "/", "--null", "--no-recursion", "-T", list, "-cf", archive]);
  const tar = new Uint8Array(readFileSync(archive));
  rmSync(archive);
  return tar;
}

/** Text that compresses to a third, as sources do. */
function smallFiles(count: number): TarEntry[] {
  return Array.from({ length: count }, (_, index): TarEntry[] => {
    const folder = `modules/m${Math.floor(index / SMALL_FILES_A_FOLDER)}`;
    const lines = Array.from({ length: 1 + (index % LINES_MAX) }, (_, line) => lineOf(index, line));
    const file = { name: `${folder}/file${index}.js`, data: lines.join("") };
    return index % SMALL_FILES_A_FOLDER === 0 ? [{ name: `${folder}/` }, file] : [file];
  }).flat();
}

const lineOf = (file: number, line: number): string =>
  `export const value${line} = "${Bun.hash(`${file} ${line}`).toString(36)}"; // one of many\n`;
