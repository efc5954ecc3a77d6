/**
 * `bunker image ls`: docker's list of images; and with a path behind the image, which docker's has not, the files of an
 * image as ls(1) lists them.
 */
import type { EngineContext } from "../engine/context.ts";
import type { ImageFile } from "../engine/list_files.ts";
import { readCommandLine } from "./command_line.ts";
import { bytesOfText, describeMode, describeOwner, describeTime, textOfBytes } from "./file_text.ts";
import { imageFilesSpec, imageLsSpec } from "./image_view_specs.ts";
import type { ParsedOptions } from "./options.ts";
import { outputFormatOf } from "./output_format.ts";
import { printList } from "./print_list.ts";
import { shellQuote } from "./shell_quote.ts";

/** Prints images or files. @returns the exit code. */
export async function list(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imageLsSpec, words);
  if (parsed === undefined) return 0;
  const isAboutFiles = parsed.operands.length === 2 || parsed.flag("long") || parsed.flag("recursive");
  if (!isAboutFiles) return await (await import("./images.ts")).printImages(words, context);
  const files = await readCommandLine(imageFilesSpec, words);
  return files === undefined ? 0 : await printFiles(files, context);
}

async function printFiles(parsed: ParsedOptions, context: EngineContext): Promise<number> {
  const format = outputFormatOf(parsed);
  const [image = "", path = ""] = parsed.operands;
  const [isLong, isRecursive] = [parsed.flag("long"), parsed.flag("recursive")];
  const { listImageFiles } = await import("../engine/image_view.ts");
  // As ls has it: a symlink is shown as one with -l, and followed without.
  const request = { image, path: bytesOfText(path), isRecursive, followLast: !isLong };
  const [top, ...below] = await listImageFiles(request, context);
  if (top === undefined) return 0;
  const files = top.type === "directory" ? below : [top];
  await printList(format, {
    exact: files.map(jsonOf),
    rows: files.map(rowOf),
    heads: {},
    text: () => describe(top, below, { isLong, isRecursive }),
  });
  return 0;
}

/** For programs: names as text, and as bytes too where they are none. */
function jsonOf({ path, target, mtime, ...file }: ImageFile): object {
  const text = textOfBytes(path);
  return {
    path: `/${text.text}`,
    ...(text.isExact ? {} : { pathBase64: Buffer.from(`/${path}`, "latin1").toString("base64") }),
    ...file,
    mtime: { seconds: mtime.seconds, nanoseconds: mtime.nanoseconds },
    ...(target === undefined ? {} : { target: textOfBytes(target).text }),
  };
}

function rowOf({ path, type, mode, uid, gid, size, mtime, target, layer }: ImageFile) {
  return {
    Gid: String(gid),
    Layer: layer,
    Mode: describeMode({ type, mode }),
    ModTime: describeTime(mtime),
    Path: `/${textOfBytes(path).text}`,
    Size: String(size),
    Target: target === undefined ? "" : textOfBytes(target).text,
    Type: type,
    Uid: String(uid),
  };
}

function describe(
  top: ImageFile,
  below: readonly ImageFile[],
  { isLong, isRecursive }: { readonly isLong: boolean; readonly isRecursive: boolean },
): string {
  const show = (files: readonly ImageFile[], nameOf: (path: string) => string): string =>
    isLong ? longLines(files, nameOf) : files.map(({ path }) => `${shellQuote(nameOf(path))}\n`).join("");
  if (top.type !== "directory") return show([top], (path) => `/${path}`);
  const lastName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  if (!isRecursive) return show(below, lastName);
  const inside = Map.groupBy(below, ({ path }) => path.slice(0, Math.max(0, path.lastIndexOf("/"))));
  const directories = [top, ...below].filter(({ type }) => type === "directory");
  return directories
    .map(({ path }) => `${shellQuote(`/${path}`)}:\n${show(inside.get(path) ?? [], lastName)}`)
    .join("\n");
}

/** Columns as wide as their widest cell; numbers stand right. */
function longLines(files: readonly ImageFile[], nameOf: (path: string) => string): string {
  const rows = files.map((file) => [
    describeMode(file),
    ...describeOwner(file),
    file.rdev === undefined ? String(file.size) : `${file.rdev.major}, ${file.rdev.minor}`,
    describeTime(file.mtime),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return files
    .map(({ path, target }, at) => {
      const cells = (rows[at] ?? []).map((cell, column) =>
        column === 3 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      );
      const arrow = target === undefined ? "" : ` -> ${shellQuote(target)}`;
      return `${cells.join(" ")} ${shellQuote(nameOf(path))}${arrow}\n`;
    })
    .join("");
}
