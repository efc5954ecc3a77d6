/** A copy to a layout or an archive that is killed, or whose disk fails, at some call: no half image, and the next copy is whole. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { CopyPlace } from "../../helpers/copy_place.ts";
import { type Fault, pointsOf, runWithFault, spread } from "../../helpers/faults.ts";
import { buildImage, buildIndex, sha256Digest } from "../../helpers/image_builder.ts";
import { writeOciLayout } from "../../helpers/oci_layout.ts";
import { noise } from "../../helpers/registry_fixture.ts";
import { executable, testIf } from "../../helpers/requires.ts";

const IS_FULL = process.env["BUNKER_SWEEP"] === "full";
const POINTS_MAX = IS_FULL ? Number.POSITIVE_INFINITY : 16;
const TEST_MS_MAX = IS_FULL ? 600_000 : 60_000;
/** Calls after which the disk is another. */
const CHANGES =
  /^(openat|mkdir|mkdirat|rename|renameat|renameat2|link|linkat|unlink|unlinkat|ftruncate|p?write(?:64|v)?|fsync|syncfs|flock|close)$/;

const images = ["amd64", "arm64"].map((architecture) =>
  buildImage({
    layers: [{ entries: [{ name: architecture, data: noise(300_000) }] }],
    platform: { os: "linux", architecture },
  }),
);
const index = buildIndex({ images });

describe("bunker copy", () => {
  for (const target of ["oci:target:app", "oci-archive:target:app"]) {
    for (const fault of ["signal=KILL", "error=ENOSPC", "error=EIO"] as const) {
      testIf(
        ["the executable", "program strace"],
        `leaves no half image in ${target} after ${fault}, and the next copy is whole`,
        async () => {
          const { findings, hits, failed } = await sweep(target, fault);

          expect(findings).toEqual({});
          expect(failed).toBeGreaterThan(hits / 2);
        },
        TEST_MS_MAX,
      );
    }
  }
});

async function sweep(name: string, fault: Fault) {
  await using place = new CopyPlace({});
  const target = `${place.directory}/target`;
  writeOciLayout(`${place.directory}/source`, { app: index });
  const source = `oci:${place.directory}/source:app`;
  const words = [executable, "copy", "-q", "--all", source, name.replace("target", target)];
  const all = await pointsOf(words, { anchor: `"${target}`, file: `${place.directory}/trace` });
  // A failed close(2) lets go of the descriptor all the same, which strace cannot show.
  const isShown = (call: string): boolean =>
    CHANGES.test(call) && (fault === "signal=KILL" || call !== "close");
  const points = spread(
    all.filter((point) => isShown(point.name)),
    POINTS_MAX,
  );
  const findings: Record<string, readonly string[]> = {};
  let failed = 0;
  for (const point of points) {
    rmSync(target, { recursive: true, force: true });
    if ((await runWithFault(words, point, fault)) !== 0) failed += 1;
    const wrong = await faultsOf(place, name, false);
    // A new archive wants a name that is free.
    if (name.startsWith("oci-archive:")) rmSync(target, { force: true });
    const again = Bun.spawnSync(words);
    if (again.exitCode !== 0) wrong.push(`the next copy fails: ${again.stderr.toString()}`);
    wrong.push(...(await faultsOf(place, name, true)));
    if (wrong.length > 0) findings[`${point.name} #${point.when}`] = wrong;
  }
  return { findings, hits: points.length, failed };
}

/** What is wrong at the target. @param isExpected whether the image has to be there */
async function faultsOf(place: CopyPlace, name: string, isExpected: boolean): Promise<string[]> {
  const path = `${place.directory}/target`;
  if (name.startsWith("oci:")) return faultsOfLayout(path, isExpected);
  if (!existsSync(path)) return isExpected ? ["there is no archive"] : [];
  const copied = await place.copy(name, `to/app:${place.to.requests.length}`, { all: true });
  return (copied.digest as string) === index.digest ? [] : [`the archive has ${copied.digest}`];
}

function faultsOfLayout(path: string, isExpected: boolean): string[] {
  const blobs = `${path}/blobs/sha256`;
  const names = existsSync(blobs) ? readdirSync(blobs) : [];
  const torn = names.filter((name) => sha256Digest(readFileSync(`${blobs}/${name}`)) !== `sha256:${name}`);
  const text = existsSync(`${path}/index.json`)
    ? readFileSync(`${path}/index.json`, "utf8")
    : '{"manifests":[]}';
  const { manifests } = JSON.parse(text) as { readonly manifests: readonly { readonly digest: string }[] };
  const needed = [...index.blobs.keys(), ...index.manifests.keys()];
  const missing =
    manifests.length === 0 ? [] : needed.filter((digest) => !names.includes(digest.slice("sha256:".length)));
  const isThere = manifests.length === 1 && manifests[0]?.digest === index.digest;
  return [
    ...torn.map((name) => `${name} is torn`),
    ...missing.map((digest) => `${digest} is missing`),
    ...(isExpected && !isThere ? [`index.json has ${text}`] : []),
    ...(isExpected ? readdirSync(path).filter((name) => name.startsWith(".")) : []),
  ];
}
