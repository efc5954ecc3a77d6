/** The images that are pulled: made from this machine's /usr, so that their content is what images consist of. */
import { readFileSync, rmSync, statSync } from "node:fs";
import { type BuiltImage, buildImage, type LayerSpec } from "../tests/helpers/image_builder.ts";
import type { TarEntry } from "../tests/helpers/tar_builder.ts";
import { output } from "./workspace.ts";

/** An image by name, with what it is. */
export interface BenchImage {
  readonly name: string;
  readonly describe: string;
  readonly image: BuiltImage;
}

const ROOT_SIZE = 110_000_000;
const LAYER_SIZE = 35_000_000;
const LAYER_COUNT = 5;
const SMALL_FILE_COUNT = 16_000;
const SMALL_FILES_A_FOLDER = 40;
const LINES_MAX = 80;
/** Larger files, debugging data mostly, would be all of an image. */
const FILE_SIZE_MAX = 8_000_000;

/** Builds the four images. @param directory for temporary files */
export function buildImages(directory: string): BenchImage[] {
  const files = filesOfMachine();
  return [
    describe("tiny", { layers: [{ entries: [{ name: "hello", data: "hello\n" }] }] }),
    describe("root", { layers: [layerOf(files.take(ROOT_SIZE), directory)] }),
    describe("small files", { layers: [{ entries: smallFiles() }] }),
    describe("five layers", { layers: layersOf(directory) }),
  ];
}

function layersOf(directory: string): LayerSpec[] {
  const files = filesOfMachine();
  return Array.from({ length: LAYER_COUNT }, () => layerOf(files.take(LAYER_SIZE), directory));
}

function describe(name: string, spec: { readonly layers: readonly LayerSpec[] }): BenchImage {
  const image = buildImage(spec);
  const tar = spec.layers.reduce((sum, layer) => sum + (layer.tar?.length ?? 0), 0);
  const gzip = image.layers.reduce((sum, layer) => sum + layer.blob.length, 0);
  const layers = image.layers.length === 1 ? "1 layer" : `${image.layers.length} layers`;
  const size = tar === 0 ? "" : `, ${megabytes(tar)} of tar`;
  return {
    name,
    image,
    describe: `${name} (${layers}${size}, ${megabytes(gzip)} of gzip)`,
  };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 0)} MB`;

interface Files {
  /** The next files whose sizes add up to `size` bytes. */
  take(size: number): string[];
}

/** Regular files below /usr in the order of their names, without the leading slash. */
function filesOfMachine(): Files {
  const limits = ["-type", "f", "-size", `-${FILE_SIZE_MAX}c`];
  const found = output(["find", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", ...limits]);
  const rest = found.split("\n").sort().values();
  return {
    take: (size) => {
      const taken: string[] = [];
      for (let sum = 0; sum < size; ) {
        const { value: path, done } = rest.next();
        if (done === true) break;
        taken.push(path.slice(1));
        sum += statSync(path).size;
      }
      return taken;
    },
  };
}

/** GNU tar makes the archive: owners, modes, times, links as they are. */
function layerOf(names: readonly string[], directory: string): LayerSpec {
  const list = `${directory}/names`;
  const archive = `${directory}/layer.tar`;
  Bun.spawnSync(["tee", list], { stdin: Buffer.from(names.join("\0")), stdout: "ignore" });
  output(["tar", "-C", "/", "--null", "--no-recursion", "-T", list, "-cf", archive]);
  const tar = new Uint8Array(readFileSync(archive));
  rmSync(archive);
  return { tar };
}

/** Text that compresses to a third, as sources do. */
function smallFiles(): TarEntry[] {
  return Array.from({ length: SMALL_FILE_COUNT }, (_, index): TarEntry[] => {
    const folder = `modules/m${Math.floor(index / SMALL_FILES_A_FOLDER)}`;
    const lines = Array.from({ length: 1 + (index % LINES_MAX) }, (_, line) => lineOf(index, line));
    const file = { name: `${folder}/file${index}.js`, data: lines.join("") };
    return index % SMALL_FILES_A_FOLDER === 0 ? [{ name: `${folder}/` }, file] : [file];
  }).flat();
}

const lineOf = (file: number, line: number): string =>
  `export const value${line} = "${Bun.hash(`${file} ${line}`).toString(36)}"; // one of many\n`;
