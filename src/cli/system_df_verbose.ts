/** `bunker system df -v`: docker's sections, and one of layers; and the room that is left on the disk. */
import type { EngineContext } from "../engine/context.ts";
import type { DiskDetails, dataRoom } from "../engine/disk_details.ts";
import { CommandLineError } from "./command_line_error.ts";
import { formatAge, formatSize, formatTable } from "./format.ts";
import { shortDigest } from "./layer_text.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeJson, writeOut } from "./output.ts";
import { outputFormatOf } from "./output_format.ts";

type Room = ReturnType<typeof dataRoom>;

/** Prints everything in detail. @returns the exit code. */
export async function print(parsed: ParsedOptions, context: EngineContext): Promise<number> {
  const format = outputFormatOf(parsed);
  if (typeof format !== "string") {
    throw new CommandLineError("--verbose has no templates: use --json", {
      hint: "bunker system df -v --json",
    });
  }
  const { dataRoom, diskDetails } = await import("../engine/disk_details.ts");
  const details = await diskDetails(context);
  const room = dataRoom(context);
  if (format === "text") writeOut(`${describe(details)}\n${describeRoom(room)}`);
  else writeJson({ ...details, disk: room }, format === "json" ? 2 : 0);
  return 0;
}

function describe({ images, layers, containers }: DiskDetails): string {
  const now = new Date();
  const imageRows = images.map((image) => [
    harmless(image.repository),
    harmless(image.tag ?? "<none>"),
    shortDigest(image.id, false),
    image.created === undefined ? "N/A" : formatAge(image.created, now),
    formatSize(image.sizeBytes),
    formatSize(image.sharedBytes),
    formatSize(image.uniqueBytes),
    String(image.containers),
  ]);
  const layerRows = layers.map(({ diffId, sizeBytes, entries, images: count }) => [
    shortDigest(diffId, false),
    formatSize(sizeBytes),
    String(entries),
    String(count),
  ]);
  const containerRows = containers.map(({ id, imageId, sizeBytes }) => [
    id,
    shortDigest(imageId, false),
    formatSize(sizeBytes),
  ]);
  return [
    section("Images", [IMAGE_HEADS, ...imageRows]),
    section("Layers", [["LAYER", "SIZE", "ENTRIES", "IMAGES"], ...layerRows]),
    section("Containers", [["CONTAINER ID", "IMAGE", "SIZE"], ...containerRows]),
  ].join("\n");
}

const IMAGE_HEADS = [
  "REPOSITORY",
  "TAG",
  "IMAGE ID",
  "CREATED",
  "SIZE",
  "SHARED SIZE",
  "UNIQUE SIZE",
  "CONTAINERS",
];

const section = (title: string, rows: readonly (readonly string[])[]): string =>
  `${title} space usage:\n\n${formatTable(rows)}`;

/** Lines for what the disk and quotas leave; none where nobody can tell. */
export function describeRoom(room: Room): string {
  if (room === undefined) return "";
  const inodes = room.totalInodes === 0 ? "" : `, ${room.freeInodes} of ${room.totalInodes} inodes`;
  const quotas = room.quotas.map(({ kind, id, limitBytes, usedBytes, limitInodes, usedInodes }) => {
    const space =
      limitBytes === 0
        ? []
        : [`${formatSize(Math.max(0, limitBytes - usedBytes))} of ${formatSize(limitBytes)}`];
    const files =
      limitInodes === 0 ? [] : [`${Math.max(0, limitInodes - usedInodes)} of ${limitInodes} inodes`];
    return `Left of the quota of ${kind} ${id}: ${[...space, ...files].join(", ")}\n`;
  });
  const left = `${formatSize(room.availableBytes)} of ${formatSize(room.totalBytes)}`;
  return `Left on the disk: ${left}${inodes}\n${quotas.join("")}`;
}
