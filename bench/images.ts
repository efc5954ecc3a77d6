/**
 * The images that are pulled: made from this machine's files, so that their content is what images consist of, each with
 * layers of gzip and of zstd.
 */
import { lstatSync, readFileSync, rmSync } from "node:fs";
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
/** Of the layers that are cut from this machine's files, beside one of small files. */
const LAYER_SIZES = [100_000_000, 60_000_000, 60_000_000, 60_000_000];
const LAYER_FILE_COUNT = 15_000;
const SMALL_FILE_COUNT = 30_000;
const SMALL_FILES_A_FOLDER = 40;
const LINES_MAX = 80;
/** Larger files, debugging data mostly, would be all of an image. */
const FILE_SIZE_MAX = 8_000_000;
const BYTES_PER_MB = 1e6;

/** How each image is made. @param directory for temporary files */
const recipes: Readonly<Record<string, (directory: string) => readonly Uint8Array[]>> = {
  tiny: () => [buildTar([{ name: "hello", data: "hello\n" }])],
  root: (directory) => [archiveOf(filesOfMachine().take(ROOT_SIZE), directory)],
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
  const files = filesOfMachine();
  const [lowest = new Uint8Array(), ...others] = LAYER_SIZES.map((size) =>
    archiveOf(files.take(size), directory),
  );
  return [lowest, buildTar(smallFiles(LAYER_FILE_COUNT)), ...others];
}

interface Files {
  /** The next names whose files' sizes add up to `size` bytes. */
  take(size: number): string[];
}

/** Files, directories and symbolic links below /usr in the order of their names, without the leading slash. */
function filesOfMachine(): Files {
  const wanted = [
    "(",
    "-type",
    "f",
    "-size",
    `-${FILE_SIZE_MAX}c`,
    "-o",
    "-type",
    "d",
    "-o",
    "-type",
    "l",
    ")",
  ];
  const found = output(["find", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", ...wanted]);
  const rest = found.split("\n").sort().values();
  return {
    take: (size) => {
      const taken: string[] = [];
      for (let sum = 0; sum < size; ) {
        const { value: path, done } = rest.next();
        if (done === true) break;
        taken.push(path.slice(1));
        sum += lstatSync(path).size;
      }
      return taken;
    },
  };
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
