/**
 * `bunker image tree`: layers from the lowest up, each line one layer, and images where their top layer is:
 *
 *     24302eb7d908   7.83MB   ADD alpine-minirootfs.tar.gz / # buildkit
 *     ├── alpine:latest   7.83MB
 *     └── 9e1f03ab7c31   12MB   RUN apk add git
 *         3c0d5b7a11fe   1kB   COPY run.sh /
 *         └── tools:1   19.8MB, 12MB of its own
 */
import type { EngineContext } from "../engine/context.ts";
import type { TreeImage, TreeLayer } from "../engine/image_tree.ts";
import { readCommandLine } from "./command_line.ts";
import { formatSize } from "./format.ts";
import { imageTreeSpec } from "./image_view_specs.ts";
import { commandLine, shortDigest } from "./layer_text.ts";
import { harmless, writeJson, writeOut } from "./output.ts";

/** Prints the tree. @returns the exit code. */
export async function printTree(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(imageTreeSpec, words);
  if (parsed === undefined) return 0;
  const { imageTree } = await import("../engine/image_tree.ts");
  const tree = await imageTree(parsed.operands[0], context);
  if (parsed.flag("json")) {
    writeJson(tree);
    return 0;
  }
  const whole = parsed.flag("no-trunc");
  const trees = [
    ...tree.layers.map((layer) => linesOf(layer, whole)),
    ...tree.empty.map((image) => [describeImage(image, whole)]),
  ];
  writeOut(trees.map((lines) => lines.map((line) => `${line}\n`).join("")).join("\n"));
  return 0;
}

/** A layer, those that follow it without a branch, and the branches, each behind its line. */
function linesOf(bottom: TreeLayer, whole: boolean): string[] {
  const lines: string[] = [];
  let top = bottom;
  for (;;) {
    lines.push(describeLayer(top, whole));
    const [next, ...others] = top.above;
    if (next === undefined || others.length > 0 || top.images.length > 0) break;
    top = next;
  }
  const branches = [
    ...top.images.map((image) => [describeImage(image, whole)]),
    ...top.above.map((layer) => linesOf(layer, whole)),
  ];
  for (const [at, [first = "", ...rest]] of branches.entries()) {
    const isLast = at === branches.length - 1;
    lines.push(
      `${isLast ? "└── " : "├── "}${first}`,
      ...rest.map((line) => `${isLast ? "    " : "│   "}${line}`),
    );
  }
  return lines;
}

function describeLayer({ diffId, sizeBytes, createdBy }: TreeLayer, whole: boolean): string {
  const command = harmless(commandLine(createdBy, whole));
  return `${shortDigest(diffId, whole)}   ${formatSize(sizeBytes)}   ${command}`.trimEnd();
}

function describeImage({ id, names, sizeBytes, ownBytes }: TreeImage, whole: boolean): string {
  const shown = names.length === 0 ? shortDigest(id, whole) : names.map(harmless).join(", ");
  const isShared = ownBytes < sizeBytes;
  return `${shown}   ${formatSize(sizeBytes)}${isShared ? `, ${formatSize(ownBytes)} of its own` : ""}`;
}
