/** `bunker images`: the local images as a table, as docker's JSON lines, or as exact JSON. */
import type { EngineContext } from "../engine/context.ts";
import type { ImageSummary } from "../engine/summary.ts";
import { readCommandLine } from "./command_line.ts";
import { formatAge, formatGoTime, formatSize, formatTable } from "./format.ts";
import { shortDigest } from "./layer_text.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";
import { printList } from "./print_list.ts";
import { imagesSpec } from "./specs.ts";

/** Prints the local images. @returns the exit code. */
export async function printImages(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imagesSpec, words);
  if (parsed === undefined) return 0;
  const format = outputFormatOf(parsed);
  const images = await listed(parsed, context);
  if (format === "text" && parsed.flag("quiet")) writeOut(describeIds(images, parsed));
  else {
    const rows = rowsOf(images, parsed);
    await printList(format, { exact: images, rows, heads: HEADS, text: () => describeTable(images, parsed) });
  }
  return 0;
}

async function listed(parsed: ParsedOptions, context: EngineContext): Promise<readonly ImageSummary[]> {
  const { listImages } = await import("../engine/images.ts");
  const images = await listImages(context);
  const filters = parsed.list("filter");
  const [pattern] = parsed.operands;
  if (filters.length === 0 && pattern === undefined) return images;
  const { parseImageFilters } = await import("../engine/image_filter.ts");
  const isWanted = parseImageFilters(filters);
  // Not one filter more of several, which would be alternatives.
  const isNamed = parseImageFilters(pattern === undefined ? [] : [`reference=${pattern}`]);
  return images.filter((image) => isWanted(image, images) && isNamed(image, images));
}

function describeIds(images: readonly ImageSummary[], parsed: ParsedOptions): string {
  const ids = new Set(images.map((image) => shownId(image, parsed)));
  return [...ids].map((id) => `${id}\n`).join("");
}

function describeTable(images: readonly ImageSummary[], parsed: ParsedOptions): string {
  const now = new Date();
  const digests = parsed.flag("digests");
  // docker, which has one of a name, shows none.
  const platforms = hasPlatforms(images);
  const header = [
    ...["REPOSITORY", "TAG"],
    ...(digests ? ["DIGEST"] : []),
    "IMAGE ID",
    ...(platforms ? ["PLATFORM"] : []),
    ...["CREATED", "SIZE"],
  ];
  const rows = images.map((image) => [
    harmless(image.repository),
    harmless(image.tag ?? "<none>"),
    ...(digests ? [image.digest ?? "<none>"] : []),
    shownId(image, parsed),
    ...(platforms ? [harmless(image.platform)] : []),
    image.created === undefined ? "N/A" : formatAge(image.created, now),
    formatSize(image.sizeBytes),
  ]);
  return formatTable([header, ...rows]);
}

/** Whether a name stands there for several platforms: without them its rows would look alike. */
function hasPlatforms(images: readonly ImageSummary[]): boolean {
  const names = images.map(({ repository, tag, digest }) => `${repository}:${tag ?? digest}`);
  return new Set(names).size < names.length;
}

/** Heads of the columns of a template's table. */
const HEADS = { ID: "IMAGE ID", CreatedSince: "CREATED", CreatedAt: "CREATED AT" };

/** docker's names and texts, and the platform. */
function rowsOf(images: readonly ImageSummary[], parsed: ParsedOptions) {
  const now = new Date();
  return images.map((image) => ({
    Containers: "N/A",
    CreatedAt: image.created === undefined ? "N/A" : formatGoTime(image.created),
    CreatedSince: image.created === undefined ? "N/A" : formatAge(image.created, now),
    Digest: image.digest ?? "<none>",
    ID: shownId(image, parsed),
    Platform: image.platform,
    Repository: image.repository,
    SharedSize: "N/A",
    Size: formatSize(image.sizeBytes),
    Tag: image.tag ?? "<none>",
    UniqueSize: "N/A",
  }));
}

const shownId = ({ id }: ImageSummary, parsed: ParsedOptions): string =>
  shortDigest(id, parsed.flag("no-trunc"));
