import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filterOf } from "../../../../src/engine/bundle/filter_cache.ts";
import { bundleFilter } from "../../../../src/runtime/security/bundle_filter.ts";

const seccomp = (value: number | bigint): object => ({
  defaultAction: "SCMP_ACT_ALLOW",
  listenerPath: "/run/agent",
  listenerMetadata: "m",
  syscalls: [{ names: ["read"], action: "SCMP_ACT_NOTIFY", args: [{ index: 0, value, op: "SCMP_CMP_EQ" }] }],
});

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bunker-filters-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const kept = (): string[] => readdirSync(join(root, "~seccomp"));

describe("filterOf()", () => {
  test("gives the second time what was compiled the first", async () => {
    const first = await filterOf(seccomp(1), root, "v1");
    const second = await filterOf(seccomp(1), root, "v1");

    const { filter, flags, listener } = bundleFilter(seccomp(1));
    expect(first).toEqual({ filter, flags, listener });
    expect(second).toEqual(first);
    expect(kept()).toHaveLength(1);
  });

  test("takes what is kept instead of compiling", async () => {
    await filterOf(seccomp(1), root, "v1");
    const [name = ""] = kept();
    writeFileSync(join(root, "~seccomp", name), `{"head":{"flags":7},"size":8}\n12345678`);

    const { filter, flags } = await filterOf(seccomp(1), root, "v1");

    expect([flags, new TextDecoder().decode(filter)]).toEqual([7, "12345678"]);
  });

  test("keeps profiles, numbers of 64 bits, and builds apart", async () => {
    for (const value of [1, 2, 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn]) {
      await filterOf(seccomp(value), root, "v1");
    }
    await filterOf(seccomp(1), root, "v2");

    expect(kept()).toHaveLength(5);
  });

  test("keeps nothing when it runs from sources, or without a root", async () => {
    await filterOf(seccomp(1), root, undefined);
    await filterOf(seccomp(1), undefined, "v1");

    expect(readdirSync(root)).toEqual([]);
  });

  test("keeps the files from everybody else", async () => {
    await filterOf(seccomp(1), root, "v1");

    expect(statSync(join(root, "~seccomp")).mode & 0o777).toBe(0o700);
  });

  test("gives up all files when there are too many", async () => {
    for (let value = 0; value <= 64; value++) await filterOf(seccomp(value), root, "v1");

    expect(kept()).toHaveLength(1);
  });

  test("compiles where nothing can be written", async () => {
    writeFileSync(join(root, "~seccomp"), "");
    chmodSync(join(root, "~seccomp"), 0o400);

    const { flags } = await filterOf(seccomp(1), root, "v1");

    expect(flags).toBe(bundleFilter(seccomp(1)).flags);
  });

  test("refuses a bad profile as the compiler does", () => {
    expect(filterOf({ defaultAction: "SCMP_ACT_NONE" }, root, "v1")).rejects.toThrow(
      "linux.seccomp.defaultAction: ",
    );
  });
});
