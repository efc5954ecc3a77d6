import { describe, expect, test } from "bun:test";
import { planQueue, type QueuedLayer } from "../../../src/image/layer_queue.ts";

const MB = 1 << 20;

const layer = (sizeBytes: number): QueuedLayer => ({
  sizeBytes,
  open: () => Promise.reject(new Error("Cannot happen: nothing is opened")),
  again: () => undefined,
  onBytes: () => undefined,
  onDone: () => undefined,
});

const sizes = (layers: readonly QueuedLayer[]): number[] => layers.map(({ sizeBytes }) => sizeBytes / MB);

describe("planQueue()", () => {
  const cases = [
    ["nothing", [], 2, { large: [], small: [], lanes: { count: 0, isSplit: false } }],
    ["a small image in the calling thread", [2, 3, 1], 2, { large: [], lanes: { count: 0, isSplit: false } }],
    ["one large layer to two threads", [40], 2, { large: [40], lanes: { count: 1, isSplit: true } }],
    ["one large layer to one thread on one processor", [40], 1, { lanes: { count: 1, isSplit: false } }],
    ["a layer that outweighs the others too", [9, 40, 20], 2, { lanes: { count: 1, isSplit: true } }],
    ["even layers to lanes of one thread each", [9, 20, 22], 2, { lanes: { count: 2, isSplit: false } }],
    ["all to the calling thread where there can be no other", [9, 40], 0, { large: [], lanes: { count: 0 } }],
    ["four processors to two layers", [20, 22], 4, { lanes: { count: 2, isSplit: true } }],
    ["the largest layers first", [9, 22, 20], 2, { large: [22, 20, 9], small: [] }],
    ["small layers beside large ones to itself", [1, 20, 22, 1], 2, { large: [22, 20], small: [1, 1] }],
  ] as const;
  test.each(cases)("gives %s", (_, given, processors, expected) => {
    const { lanes, large, small } = planQueue(
      given.map((size) => layer(size * MB)),
      processors,
    );

    expect({ lanes, large: sizes(large), small: sizes(small) }).toMatchObject(
      JSON.parse(JSON.stringify(expected)),
    );
  });
});
