/**
 * Containers that change their files while they are read: export, commit and diff take what is in the container, and nothing
 * of the host, whatever a name has come to mean between two looks.
 */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { HostWatch } from "../../helpers/hostile_archive.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { listTar } from "../../helpers/tar_listing.ts";
import { App, RUN_NEEDS } from "../../kernel/run/app.ts";

const ROUNDS = 12;
const TEST_MS_MAX = 180_000;
const SOURCES = { program: "bun run src/main.ts", timeoutMs: 60_000 } as const;
const SECRET = "untouched\n";

/** A directory, a symlink to the host in its place, and back, as fast as a shell can. */
const flipping = (target: string): string => `
  mkdir -p /place/real/etc && cp /bin/busybox /place/real/etc/passwd && echo own > /place/real/victim
  ln -s ${"../".repeat(24)}${target.slice(1)} /place/link
  cp -r /place/real /place/it
  ( while :; do
    mv -T /place/it /place/away 2>/dev/null; mv -T /place/link /place/it 2>/dev/null
    mv -T /place/it /place/link 2>/dev/null; mv -T /place/away /place/it 2>/dev/null
  done ) &
  echo up; read line`;

describe("a container that puts a symlink to the host in the place of a directory", () => {
  kernelTest(
    "CVE-2018-15664, CVE-2019-10152, CVE-2026-42306: exports its own files only",
    RUN_NEEDS,
    async (sandbox) => {
      const host = new HostWatch(sandbox);
      const app = await App.install(sandbox);
      await using running = app.start(["-i", "--name", "flip"], ["/bin/sh", "-c", flipping(host.outside)]);
      await running.output("up");
      const file = `${sandbox.directory}/exported.tar`;
      let exported = 0;

      for (let round = 0; round < ROUNDS; round += 1) {
        const { exitCode, stderr } = await sandbox.bunker(["export", "-o", file, "flip"], SOURCES);
        // A file that goes while it is read may be a reason to give up, but none to read another.
        expect([0, 125]).toContain(exitCode ?? -1);
        if (exitCode !== 0) expect(stderr).toStartWith("bunker: Cannot ");
        else {
          exported += 1;
          const entries = listTar(readFileSync(file));
          expect(entries.filter(({ data }) => data === SECRET).map(({ path }) => path)).toEqual([]);
        }
      }

      expect(exported).toBeGreaterThan(0);
      running.type("end\n");
      await running.exited;
      host.expectUnchanged();
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "CVE-2018-15664: is committed with its own files only",
    RUN_NEEDS,
    async (sandbox) => {
      const host = new HostWatch(sandbox);
      const app = await App.install(sandbox);
      await using running = app.start(["-i", "--name", "flip"], ["/bin/sh", "-c", flipping(host.outside)]);
      await running.output("up");

      for (let round = 0; round < ROUNDS / 4; round += 1) {
        const words = ["commit", "--no-pause", "flip", "local/committed:1"];
        const { exitCode, stderr } = await sandbox.bunker(words, SOURCES);
        expect([0, 125]).toContain(exitCode ?? -1);
        if (exitCode !== 0) expect(stderr).toStartWith("bunker: Cannot ");
      }
      running.type("end\n");
      await running.exited;
      const committed = app.as("local/committed:1");
      const { stdout } = await committed.run([], ["/bin/sh", "-c", "grep -rl untouched /work; true"]);

      expect(stdout).toBe("");
      host.expectUnchanged();
    },
    TEST_MS_MAX,
  );
});
