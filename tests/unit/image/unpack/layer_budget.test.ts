import { describe, expect, test } from "bun:test";
import type { TarEntry } from "../../../../src/image/tar/entry.ts";
import { LayerBudget } from "../../../../src/image/unpack/layer_budget.ts";

const LIMITS = { directories: 2, keptBytes: 1000 };
const refused = (state: string): object =>
  expect.objectContaining({ code: "LAYER_INVALID", message: `Cannot unpack entry "d/e": ${state}` });

describe("LayerBudget", () => {
  test("refuses one directory more than its limit, and names the entry", () => {
    const budget = new LayerBudget(LIMITS);
    for (let count = 0; count < 2; count += 1) budget.addDirectory("d/e");

    expect(() => budget.addDirectory("d/e")).toThrow(refused("the layer has more than 2 directories"));
  });

  test("counts targets of links and attributes of directories together", () => {
    const budget = new LayerBudget(LIMITS);
    budget.addLink(entry({ linkPath: "x".repeat(400) }));
    budget.addAttributes(entry({ xattrs: new Map([["user.a", "x".repeat(300)]]) }));

    expect(() => budget.addLink(entry({ linkPath: "x".repeat(200) }))).toThrow(
      refused("links and attributes of the layer take more than 1000 bytes of memory"),
    );
  });

  test("counts what holds them, so that many small ones are not for nothing", () => {
    const budget = new LayerBudget(LIMITS);
    const add = (): void => {
      for (let count = 0; count < 100; count += 1) budget.addLink(entry({ linkPath: "x" }));
    };

    expect(add).toThrow(/more than 1000 bytes/);
  });
});

function entry(fields: Partial<TarEntry>): TarEntry {
  const time = { seconds: 0, nanoseconds: 0 };
  const numbers = { size: 0, mode: 0, uid: 0, gid: 0, major: 0, minor: 0 };
  return {
    path: "d/e",
    type: "symlink",
    linkPath: "",
    mtime: time,
    atime: undefined,
    xattrs: new Map(),
    ...numbers,
    ...fields,
  };
}
