/** A pull as people see it, on a terminal and elsewhere. */
import { describe, expect, test } from "bun:test";
import { openProgress } from "../../../src/cli/progress.ts";
import { describeLayer, LayerBoard } from "../../../src/cli/progress_board.ts";
import type { Screen } from "../../../src/cli/screen.ts";
import type { LayerProgress } from "../../../src/engine/progress.ts";

const LAYER = "3c5eee1a0b2d";
const REFERENCE = "docker.io/library/alpine:latest";

describe("openProgress()", () => {
  test("prints docker's lines where there is no terminal", () => {
    const screen = recorder({ isTerminal: false });
    const observer = openProgress({ implicit: true, screen });

    observer.begin(REFERENCE);
    for (const state of ["waiting", "downloading", "downloading", "extracting", "done"] as const) {
      observer.layer(layer({ state }));
    }
    observer.layer(layer({ layer: "000000000000", state: "exists" }));
    observer.end({ reference: REFERENCE, digest: "sha256:aa", status: "downloaded" });

    expect(screen.text().split("\n")).toEqual([
      `Unable to find image "${REFERENCE}" locally`,
      "latest: Pulling from library/alpine",
      `${LAYER}: Pulling fs layer`,
      `${LAYER}: Download complete`,
      `${LAYER}: Pull complete`,
      "000000000000: Already exists",
      "Digest: sha256:aa",
      "Status: Downloaded newer image for alpine:latest",
      "",
    ]);
  });

  test.each([
    ["localhost:5000/a/b:1", "1: Pulling from localhost:5000/a/b"],
    ["localhost:5000/a", "latest: Pulling from localhost:5000/a"],
    ["docker.io/library/a@sha256:ff", "sha256:ff: Pulling from library/a"],
  ])("parts the reference %s", (reference, line) => {
    const screen = recorder({ isTerminal: false });

    openProgress({ implicit: false, screen }).begin(reference);

    expect(screen.text()).toBe(`${line}\n`);
  });

  test("draws at most ten times a second, and once at the end", () => {
    const screen = recorder({ isTerminal: true });
    const observer = openProgress({ implicit: false, screen });

    for (let current = 0; current < 1000; current++) observer.layer(layer({ current, total: 1000 }));
    observer.end(undefined);

    expect(screen.writes()).toBe(2);
    expect(screen.text()).toContain("999B/1kB");
  });

  test("says nothing about the outcome of a pull that failed", () => {
    const screen = recorder({ isTerminal: false });

    openProgress({ implicit: false, screen }).end(undefined);

    expect(screen.text()).toBe("");
  });
});

describe("LayerBoard", () => {
  test("goes up as many lines as it drew before, and never hides the cursor", () => {
    const screen = recorder({ isTerminal: true });
    const board = new LayerBoard(screen);
    board.update(layer({ layer: "a" }));
    board.update(layer({ layer: "b" }));
    board.draw();
    const first = screen.text();
    board.draw();

    expect(first).not.toContain("\u001b[2A");
    expect(screen.text().slice(first.length)).toStartWith("\u001b[2A\r\u001b[2Ka: ");
    expect(screen.text()).not.toContain("?25l");
  });

  test("keeps within the screen", () => {
    const screen = recorder({ isTerminal: true, columns: 20, rows: 5 });
    const board = new LayerBoard(screen);
    for (let index = 0; index < 10; index++) board.update(layer({ layer: `layer${index}`, total: 100 }));
    board.draw();

    const lines = screen.text().replaceAll("\r\u001b[2K", "").split("\n").slice(0, -1);
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toBe("and 7 more");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(20);
  });
});

describe("describeLayer()", () => {
  test.each([
    [0, 100, "[>                   ]  0B/100B"],
    [50, 100, "[==========>         ]  50B/100B"],
    [100, 100, "[====================]  100B/100B"],
    [200, 100, "[====================]  200B/100B"],
    [7, 0, "7B"],
  ])("shows %d of %d", (current, total, bar) => {
    expect(describeLayer(layer({ current, total }))).toBe(`${LAYER}: Downloading ${bar}`);
  });
});

function layer(changes: Partial<LayerProgress>): LayerProgress {
  return { layer: LAYER, state: "downloading", current: 0, total: 0, ...changes };
}

function recorder({
  isTerminal,
  columns = 80,
  rows = 24,
}: {
  isTerminal: boolean;
  columns?: number;
  rows?: number;
}) {
  const written: string[] = [];
  const screen: Screen = {
    write: (text) => void written.push(text),
    isTerminal,
    size: () => ({ columns, rows }),
  };
  return { ...screen, text: () => written.join(""), writes: () => written.length };
}
