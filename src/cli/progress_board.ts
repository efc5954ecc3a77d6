/** The lines of a pull or push on a terminal: one for each layer, written over one another. */
import type { LayerProgress, LayerState } from "../engine/progress.ts";
import { formatSize } from "./format.ts";
import { harmless } from "./output.ts";
import type { Screen } from "./screen.ts";

/** Cells of the bar between its brackets. */
const BAR_CELLS = 20;
/** Lines that stay free: the cursor's own, and the one of the layers that have none. */
const ROWS_FREE = 2;

/** States after which nothing comes. */
const SETTLED: readonly LayerState[] = ["done", "exists", "pushed", "copied", "mounted", "exists there"];

const ERASE_LINE = "\u001b[2K";

/** Keeps the latest state of each layer, and draws them all in place. */
export class LayerBoard {
  readonly #screen: Screen;
  readonly #layers = new Map<string, LayerProgress>();
  #linesDrawn = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Notes the state of a layer; draws nothing. */
  update(progress: LayerProgress): void {
    this.#layers.set(progress.layer, progress);
  }

  /** Draws over what was drawn before, and leaves the cursor below. */
  draw(): void {
    const { columns, rows } = this.#screen.size();
    const lines = this.#lines(Math.max(1, rows - ROWS_FREE)).map((line) =>
      line.slice(0, Math.max(1, columns - 1)),
    );
    const up = this.#linesDrawn === 0 ? "" : `\u001b[${this.#linesDrawn}A`;
    // Lines of an earlier, longer drawing are emptied.
    while (lines.length < this.#linesDrawn) lines.push("");
    this.#screen.write(`${up}${lines.map((line) => `\r${ERASE_LINE}${line}\n`).join("")}`);
    this.#linesDrawn = lines.length;
  }

  /** All layers when they fit, else those that still move, and a count of the others. */
  #lines(max: number): string[] {
    const layers = [...this.#layers.values()];
    if (layers.length <= max) return layers.map(describeLayer);
    const moving = layers.filter(({ state }) => !SETTLED.includes(state)).slice(0, max);
    const left = layers.length - moving.length;
    return [...moving.map(describeLayer), `and ${left} more`];
  }
}

/** `3c5eee1a0b2d: Downloading [=====>      ]  1.2MB/3.4MB`. */
export function describeLayer({ layer, state, current, total, from = "" }: LayerProgress): string {
  const name = harmless(layer);
  switch (state) {
    case "waiting":
      return `${name}: Waiting`;
    case "downloading":
      return `${name}: Downloading ${bar(current, total)}`;
    case "extracting":
      return `${name}: Extracting  ${bar(current, total)}`;
    case "done":
      return `${name}: Pull complete`;
    case "exists":
      return `${name}: Already exists`;
    case "preparing":
      return `${name}: Preparing`;
    case "uploading":
      return `${name}: Pushing ${bar(current, total)}`;
    case "pushed":
      return `${name}: Pushed`;
    case "copying":
      return `${name}: Copying ${bar(current, total)}`;
    case "copied":
      return `${name}: Copied`;
    case "mounted":
      return `${name}: Mounted from ${harmless(from)}`;
    case "exists there":
      return `${name}: Layer already exists`;
  }
}

function bar(current: number, total: number): string {
  if (total <= 0) return formatSize(current);
  const filled = Math.floor((Math.min(current, total) / total) * BAR_CELLS);
  const cells = filled >= BAR_CELLS ? "=".repeat(BAR_CELLS) : `${"=".repeat(filled)}>`;
  return `[${cells.padEnd(BAR_CELLS)}]  ${formatSize(current)}/${formatSize(total)}`;
}
