/**
 * CVE-2026-41579, CVE-2026-47766: /dev of the root is a link, and what the runtime makes or removes there landed at its
 * target. CVE-2019-18837: links in the places of all that is made. CVE-2025-24965: files of the engine in the root.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { attackTest, bind, plantLink } from "../../helpers/attack.ts";
import { MOUNTS, NAMESPACES } from "../../helpers/runtime_bundle.ts";
import { snapshotTree } from "../../helpers/tree_snapshot.ts";

const [PROC] = MOUNTS;

describe("a root whose /dev is a link", () => {
  for (const [what, mounts] of [
    ["a tmpfs on it", MOUNTS],
    ["no mount on it", [PROC]],
  ] as const) {
    for (const target of ["the host", "/etc", "/proc/self"]) {
      attackTest(`to ${target} is refused with ${what}`, async ({ runtime, outside, linkTo }) => {
        const bundle = await runtime.bundle({ sh: "true", mounts });
        plantLink(bundle, "dev", target === "the host" ? linkTo(outside) : target);

        expect(await runtime.refusal(bundle)).toMatch(/dev.*(symbolic links|not a directory|ELOOP|ENOTDIR)/);
        expect(readdirSync(`${bundle.root}/etc`)).toEqual([]);
      });
    }
  }
});

/** Everything that a runtime makes in /dev. */
const MADE = [
  "null",
  "zero",
  "full",
  "random",
  "urandom",
  "tty",
  "console",
  "ptmx",
  "fd",
  "stdin",
  "stdout",
  "stderr",
];

describe("a root with links where files are made", () => {
  attackTest("never lets one of /dev land outside", async ({ runtime, outside, linkTo }) => {
    for (const name of MADE) {
      const bundle = await runtime.bundle({ sh: "true", mounts: [PROC] });
      symlinkSync(linkTo(`${outside}/${name}`), `${bundle.root}/dev/${name}`);

      const { exitCode } = await runtime.run(bundle);

      expect(exitCode).not.toBeNull();
      expect(readdirSync(outside)).not.toContain("zero");
    }
  });

  attackTest(
    "never lets a device of the configuration land outside",
    async ({ runtime, outside, linkTo }) => {
      const devices = [{ path: "/srv/link/node", type: "c", major: 1, minor: 3 }];
      const bundle = await runtime.bundle({ sh: "true", linux: { devices } });
      symlinkSync(linkTo(outside), `${bundle.root}/srv/link`);

      await runtime.run(bundle);

      expect(readdirSync(outside)).not.toContain("node");
    },
  );

  attackTest(
    "never lets the place of a mount be made outside",
    async ({ runtime, sandbox, outside, linkTo }) => {
      mkdirSync(`${sandbox.directory}/volume`);
      for (const destination of ["/srv/link/made", "/srv/link/made/below", "/srv/link"]) {
        const bundle = await runtime.bundle({
          sh: "true",
          mounts: [...MOUNTS, bind(`${sandbox.directory}/volume`, destination)],
        });
        symlinkSync(linkTo(`${outside}/dev`), `${bundle.root}/srv/link`);

        await runtime.run(bundle);

        expect(readdirSync(`${outside}/dev`)).toEqual([]);
      }
    },
  );
});

describe("the root of a container that is created", () => {
  attackTest("holds nothing that was not there before", async ({ runtime }) => {
    const namespaces = [...NAMESPACES, { type: "network" }];
    const bundle = await runtime.bundle({ process: { args: ["/bin/sleep", "60"] }, linux: { namespaces } });
    const before = snapshotTree(bundle.root);

    const container = await runtime.start(bundle);
    await container.sh("true");

    expect(snapshotTree(bundle.root)).toEqual(before);
  });
});
