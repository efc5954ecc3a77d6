/**
 * Shows a pull, push or copy on stderr. On a terminal every layer has a line of its own, drawn anew at most ten times a second;
 * the cursor always rests below the last line and is never hidden, so that an end at any moment leaves the terminal
 * as it was. Elsewhere the lines are docker's, one for each step of a layer.
 */
import { isatty } from "node:tty";
import type {
  CopyObserver,
  LayerProgress,
  LayerState,
  PullObserver,
  PushObserver,
  TagsObserver,
} from "../engine/progress.ts";
import type { PullResult } from "../engine/summary.ts";
import { harmless, writeError } from "./output.ts";
import { describeLayer, LayerBoard } from "./progress_board.ts";
import type { Screen } from "./screen.ts";

/** States of a layer that is fetched. */
const PULL_STATES: readonly LayerState[] = ["waiting", "downloading", "extracting", "done"];

/** Milliseconds between two drawings. */
const REDRAW_MS = 100;

/** What may be told about the pull besides its layers. */
export interface ProgressOptions {
  /** The pull is part of a `run`: say why it happens. */
  readonly implicit: boolean;
  /** Where to draw; stderr unless given. */
  readonly screen?: Screen;
}

/** Makes the display that fits stderr. */
export function openProgress({ implicit, screen = stderrScreen() }: ProgressOptions): PullObserver {
  const layers = showLayers(screen);
  return {
    begin(reference) {
      if (implicit) screen.write(`Unable to find image "${harmless(reference)}" locally\n`);
      screen.write(`${describeBegin(harmless(reference))}\n`);
    },
    layer: layers.show,
    note: (text) => note(screen, layers, text),
    end(result) {
      layers.draw();
      if (result !== undefined) screen.write(describeEnd(result));
    },
  };
}

/** Makes the display of the pulls of all tags: each has layers of its own, and there is one status for all, as with docker. */
export function openTagsProgress(screen: Screen = stderrScreen()): TagsObserver {
  let layers = showLayers(screen);
  return {
    begin(reference) {
      layers = showLayers(screen);
      screen.write(`${describeBegin(harmless(reference))}\n`);
    },
    layer: (progress) => layers.show(progress),
    note: (text) => note(screen, layers, text),
    end(result) {
      layers.draw();
      if (result !== undefined) screen.write(`Digest: ${harmless(result.digest)}\n`);
    },
    skip: (tag, reason) => screen.write(`${harmless(tag)}: Skipped: ${harmless(reason)}\n`),
    endAll(repository, results) {
      const isNew = results.some(({ status }) => status === "downloaded");
      if (results.length > 0) screen.write(describeStatus(repository, isNew ? "downloaded" : "up-to-date"));
    },
  };
}

/** Makes the display of a push that fits stderr. */
export function openPushProgress(screen: Screen = stderrScreen()): PushObserver {
  const layers = showLayers(screen);
  return {
    begin: (repository) => screen.write(`The push refers to repository [${harmless(repository)}]\n`),
    layer: layers.show,
    note: (text) => note(screen, layers, text),
    end(results) {
      layers.draw();
      for (const { tag, digest, sizeBytes } of results)
        screen.write(`${harmless(tag)}: digest: ${harmless(digest)} size: ${sizeBytes}\n`);
    },
  };
}

/** Makes the display of a copy that fits stderr. */
export function openCopyProgress(screen: Screen = stderrScreen()): CopyObserver {
  const layers = showLayers(screen);
  let names = "";
  return {
    begin(source, target) {
      names = `${harmless(source)} to ${harmless(target)}`;
      screen.write(`Copying ${names}\n`);
    },
    layer: layers.show,
    note: (text) => note(screen, layers, text),
    end(result) {
      layers.draw();
      if (result === undefined) return;
      const state =
        result.status === "copied" ? `Copied ${names}` : `Unchanged at ${harmless(result.target)}`;
      screen.write(`Digest: ${harmless(result.digest)}\nStatus: ${state}\n`);
    },
  };
}

function note(screen: Screen, layers: LayerDisplay, text: string): void {
  layers.draw();
  screen.write(`bunker: ${harmless(text)}\n`);
}

interface LayerDisplay {
  readonly show: (progress: LayerProgress) => void;
  /** Shows the latest states at once. */
  readonly draw: () => void;
}

function showLayers(screen: Screen): LayerDisplay {
  const board = screen.isTerminal ? new LayerBoard(screen) : undefined;
  const seen = new Map<string, LayerState>();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = (): void => {
    clearTimeout(timer);
    timer = undefined;
    drawnAt = performance.now();
    board?.draw();
  };
  const show = (progress: LayerProgress): void => {
    if (board === undefined) {
      for (const line of plainLines(progress, seen.get(progress.layer))) screen.write(`${line}\n`);
      seen.set(progress.layer, progress.state);
      return;
    }
    board.update(progress);
    const restMs = drawnAt + REDRAW_MS - performance.now();
    if (restMs <= 0) draw();
    // Drawn even when nothing follows: a download that stalls must show how far it came.
    else timer ??= setTimeout(draw, restMs);
  };
  return { show, draw };
}

/** `latest: Pulling from library/alpine`, as docker says it; the registry's name only when it is not Docker Hub. */
function describeBegin(reference: string): string {
  const { repository, tag } = splitReference(reference);
  return `${tag}: Pulling from ${repository.replace(/^docker\.io\//, "")}`;
}

/** A digest counts as the tag; a colon before the last slash belongs to a port. */
function splitReference(reference: string): { repository: string; tag: string } {
  const at = reference.indexOf("@");
  if (at !== -1) return { repository: reference.slice(0, at), tag: reference.slice(at + 1) };
  const colon = reference.lastIndexOf(":");
  if (colon <= reference.lastIndexOf("/")) return { repository: reference, tag: "latest" };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

function describeEnd({ reference, digest, status }: PullResult): string {
  return `Digest: ${harmless(digest)}\n${describeStatus(reference, status)}`;
}

function describeStatus(reference: string, status: PullResult["status"]): string {
  const short = harmless(reference).replace(/^docker\.io\/(library\/)?/, "");
  const state =
    status === "downloaded" ? `Downloaded newer image for ${short}` : `Image is up to date for ${short}`;
  return `Status: ${state}\n`;
}

/** Docker's lines for a step from one state to another; nothing while a state lasts. */
function plainLines(progress: LayerProgress, before: LayerState | undefined): readonly string[] {
  const { layer, state } = progress;
  if (state === before) return [];
  const name = harmless(layer);
  const first = before === undefined && PULL_STATES.includes(state) ? [`${name}: Pulling fs layer`] : [];
  switch (state) {
    case "waiting":
    case "downloading":
      return first;
    case "extracting":
      return [...first, `${name}: Download complete`];
    case "done":
      return [
        ...first,
        ...(before === "extracting" ? [] : [`${name}: Download complete`]),
        `${name}: Pull complete`,
      ];
    case "exists":
      return [`${name}: Already exists`];
    case "uploading":
    case "copying":
      return [];
    case "preparing":
    case "pushed":
    case "copied":
    case "mounted":
    case "exists there":
      return [describeLayer(progress)];
  }
}

function stderrScreen(): Screen {
  // One that does not say what it is may not know how to move its cursor.
  const isTerminal = isatty(2) && ![undefined, "", "dumb"].includes(process.env["TERM"]);
  return {
    write: writeError,
    isTerminal,
    // A terminal that nobody sized, such as script(1)'s, says 0.
    size: () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 }),
  };
}
