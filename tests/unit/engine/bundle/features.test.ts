/** What engines ask for before they use a runtime. */
import { describe, expect, test } from "bun:test";
import { readFeatures } from "../../../../src/engine/bundle/features.ts";
import { parseConfig } from "../../../../src/oci/bundle/parse.ts";

interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly mountOptions: readonly string[];
  readonly linux: {
    readonly capabilities: readonly string[];
    readonly seccomp: { readonly knownFlags: readonly string[]; readonly supportedFlags: readonly string[] };
    readonly mountExtensions: { readonly idmap: { readonly enabled: boolean } };
  };
}

describe("readFeatures()", () => {
  const features = readFeatures() as Features;

  test("names versions that the parser takes, since CRI-O refuses an empty one", () => {
    for (const ociVersion of [features.ociVersionMin, features.ociVersionMax]) {
      expect(parseConfig(JSON.stringify({ ociVersion, root: { path: "rootfs" } })).ociVersion).toBe(
        ociVersion,
      );
    }
  });

  test("announces id-mapped mounts, without which containerd and CRI-O refuse pods with user namespaces", () => {
    expect(features.linux.mountExtensions.idmap.enabled).toBe(true);
  });

  test("knows the options that engines look for", () => {
    for (const option of ["rro", "tmpcopyup", "idmap", "ridmap", "rnosuid", "nosymfollow"]) {
      expect(features.mountOptions).toContain(option);
    }
  });

  test("claims no flag of seccomp that it does not know", () => {
    const { knownFlags, supportedFlags } = features.linux.seccomp;

    expect(supportedFlags.length).toBeGreaterThan(0);
    expect(supportedFlags.filter((flag) => !knownFlags.includes(flag))).toEqual([]);
  });
});
