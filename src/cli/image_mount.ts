/** `bunker image mount` and `image unmount`, with podman's outputs. */
import type { EngineContext } from "../engine/context.ts";
import type { MountedImage } from "../engine/mount_image.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError, EXIT_ARGUMENTS } from "./command_line_error.ts";
import { imageMountSpec, imageUnmountSpec } from "./image_view_specs.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeError, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { printList } from "./print_list.ts";

/** Exit code when one of several could not be unmounted. */
const EXIT_FAILED = 1;

/** Mounts an image and prints where, or lists what is mounted. @returns the exit code. */
export async function mount(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imageMountSpec, words);
  if (parsed === undefined) return 0;
  const [image, directory] = parsed.operands;
  const engine = await import("../engine/mount_image.ts");
  if (image === undefined) {
    await printMounted(await engine.listMountedImages(context), parsed);
    return 0;
  }
  const { path } = await engine.mountImage(image, directory, context);
  writeOut(`${path}\n`);
  return 0;
}

async function printMounted(mounted: readonly MountedImage[], parsed: ParsedOptions): Promise<void> {
  const format = outputFormatOf(parsed);
  const rows = mounted.map(({ id, name, path }) => ({ ID: id, Image: name, Path: path }));
  const text = (): string => mounted.map(({ name, path }) => `${harmless(`${name} ${path}`)}\n`).join("");
  await printList(format, { exact: mounted, rows, heads: {}, text });
}

/** Unmounts images and prints their ids. @returns the exit code. */
export async function unmount(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imageUnmountSpec, words);
  if (parsed === undefined) return 0;
  const all = parsed.flag("all");
  if (all === parsed.operands.length > 0) {
    throw new CommandLineError('"bunker image unmount" requires images or directories, or --all', {
      exitCode: EXIT_ARGUMENTS,
    });
  }
  const engine = await import("../engine/mount_image.ts");
  const print = (mounted: readonly MountedImage[]): void =>
    writeOut(mounted.map(({ id }) => `${id}\n`).join(""));
  if (all) {
    print(await engine.unmountAllImages(context));
    return 0;
  }
  let exitCode = 0;
  for (const word of parsed.operands) {
    try {
      print(await engine.unmountImage(word, context));
    } catch (error) {
      const { describeError } = await import("./report.ts");
      const { explainStorage } = await import("../engine/storage_error.ts");
      writeError(describeError(explainStorage(error, context)));
      exitCode = EXIT_FAILED;
    }
  }
  return exitCode;
}
