/** `bunker images`: the local images as a table, as docker's JSON lines, or as exact JSON. */
import type { EngineContext } from "../engine/context.ts";
import type { ImageSummary } from "../engine/summary.ts";
import { readCommandLine } from "./command_line.ts";
import { formatAge, formatSize, formatTable } from "./format.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { imagesSpec } from "./specs.ts";

/** Hexadecimal digits of a short image ID. */
const SHORT_ID_LENGTH = 12;

/** Prints the local images. @returns the exit code. */
export async function printImages(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imagesSpec, words);
  if (parsed === undefined) return 0;
  const format = outputFormatOf(parsed);
  const { listImages } = await import("../engine/images.ts");
  const images = (await listImages(context)).filter((image) => isWanted(image, parsed.operands[0]));
  if (parsed.flag("quiet")) writeOut(describeIds(images, parsed));
  else if (format === "json") writeOut(`${JSON.stringify(images, undefined, 2)}\n`);
  else if (format === "docker-json") writeOut(describeAsDocker(images, parsed));
  else writeOut(describeTable(images, parsed));
  return 0;
}

/** `name` without a tag means every tag; of docker's wildcards there is none. */
function isWanted({ repository, tag }: ImageSummary, name: string | undefined): boolean {
  return name === undefined || name === repository || name === `${repository}:${tag}`;
}

function describeIds(images: readonly ImageSummary[], parsed: ParsedOptions): string {
  const ids = new Set(images.map((image) => shownId(image, parsed)));
  return [...ids].map((id) => `${id}\n`).join("");
}

function describeTable(images: readonly ImageSummary[], parsed: ParsedOptions): string {
  const now = new Date();
  const header = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];
  const rows = images.map((image) => [
    harmless(image.repository),
    harmless(image.tag ?? "<none>"),
    shownId(image, parsed),
    image.created === undefined ? "N/A" : formatAge(image.created, now),
    formatSize(image.sizeBytes),
  ]);
  return formatTable([header, ...rows]);
}

/** One object a line, with docker's names and texts. */
function describeAsDocker(images: readonly ImageSummary[], parsed: ParsedOptions): string {
  const now = new Date();
  const lines = images.map((image) =>
    JSON.stringify({
      Containers: "N/A",
      CreatedAt: image.created?.toISOString() ?? "N/A",
      CreatedSince: image.created === undefined ? "N/A" : formatAge(image.created, now),
      Digest: image.digest ?? "<none>",
      ID: shownId(image, parsed),
      Repository: image.repository,
      SharedSize: "N/A",
      Size: formatSize(image.sizeBytes),
      Tag: image.tag ?? "<none>",
      UniqueSize: "N/A",
    }),
  );
  return lines.map((line) => `${line}\n`).join("");
}

function shownId({ id }: ImageSummary, parsed: ParsedOptions): string {
  return parsed.flag("no-trunc") ? id : id.slice(id.indexOf(":") + 1).slice(0, SHORT_ID_LENGTH);
}
