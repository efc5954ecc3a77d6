/** One beyond each bound of a count or length, and the bound itself. */
import { describe, expect, test } from "bun:test";
import { checkConfig } from "../../../../src/oci/bundle/parse.ts";
import { changed } from "./valid_config.ts";

type Bound = readonly [path: string, max: number, make: (count: number) => unknown];

const list = (element: unknown) => (count: number) => new Array(count).fill(element);
const named =
  (name: string, value: unknown) =>
  (count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, value]));

const BOUNDS: readonly Bound[] = [
  ["ociVersion", 128, (count) => `1.0.0-${"a".repeat(count - 6)}`],
  ["root.path", 4095, (count) => "a".repeat(count)],
  ["hostname", 64, (count) => "a".repeat(count)],
  ["annotations", 16_384, named("a", "")],
  ["mounts", 4096, list({ destination: "/a" })],
  ["mounts.0.options", 1024, list("ro")],
  ["hooks.prestart", 1024, list({ path: "/a" })],
  ["process.args", 65_536, list("a")],
  ["process.env", 65_536, list("A=")],
  ["process.user.additionalGids", 65_536, list(1)],
  ["process.capabilities.ambient", 128, list("CAP_KILL")],
  ["process.apparmorProfile", 4095, (count) => "a".repeat(count)],
  ["linux.devices", 16_384, list({ type: "p", path: "/a" })],
  ["linux.maskedPaths", 4096, list("/a")],
  ["linux.sysctl", 1024, named("net.a", "")],
  ["linux.netDevices", 1024, named("a", {})],
  ["linux.intelRdt.schemata", 256, list("L3:0=1")],
  ["linux.intelRdt.closID", 255, (count) => "a".repeat(count)],
  ["linux.resources.devices", 16_384, list({ allow: true })],
  ["linux.resources.hugepageLimits", 4096, list({ pageSize: "2MB", limit: 0 })],
  ["linux.resources.unified", 4096, named("memory.a", "")],
];

const ENTRY = /[\w.]+/;

describe("checkConfig()", () => {
  test.each(BOUNDS)("takes %s up to %p and no more", (path, max, make) => {
    const [good, bad] = [max, max + 1].map((count) =>
      checkConfig(JSON.stringify(changed({ [path]: make(count) }))),
    );

    expect(good).toEqual([]);
    expect(bad?.map((fault) => ENTRY.exec(fault.path)?.[0])).toEqual([
      path.replace(".0.", "[0].").split("[")[0],
    ]);
  });

  test("takes names in free keys up to 255 characters", () => {
    const faultsFor = (length: number): number =>
      checkConfig(
        JSON.stringify(changed({ "linux.resources.rdma": { ["a".repeat(length)]: { hcaObjects: 1 } } })),
      ).length;

    expect([faultsFor(255), faultsFor(256)]).toEqual([0, 1]);
  });
});
