/** CVE-2016-9962: a process that joined a container could be looked into before it had executed its command. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { attackTest } from "../../helpers/attack.ts";
import { raceFor } from "../../helpers/race.ts";

const ATTACK_MS = 4000;

/** Names of everything that the processes of the container have open, as fast as a shell can. */
const LOOK = [
  "while true; do for p in /proc/[0-9]*; do",
  'case "$p" in /proc/1|/proc/$$) continue;; esac;',
  "echo $p >> /tmp/met; readlink $p/exe $p/cwd $p/root $p/fd/* >> /tmp/seen 2> /dev/null; done; done",
].join(" ");

describe("a process that enters a container", () => {
  attackTest("shows nothing of the host to those inside", async ({ runtime }) => {
    const container = await runtime.start({ sh: LOOK });

    const read = (name: string): string => {
      const path = `${container.bundle.root}/tmp/${name}`;
      return existsSync(path) ? readFileSync(path, "utf8") : "";
    };
    const met = (): number => new Set(read("met").split("\n")).size;
    let runs = 0;
    const enter = async (): Promise<void> => {
      await container.sh("true");
      runs++;
    };
    await raceFor(ATTACK_MS, enter, () => runs > 20 && met() > 10);

    const seen = read("seen");
    const foreign = [...new Set(seen.split("\n"))].filter(
      (path) => !/^(|\/|\/bin\/busybox|\/dev\/null|\/proc(\/.*)?|\/tmp\/(seen|met)|pipe:\[\d+\])$/.test(path),
    );
    expect(foreign).toEqual([]);
  });
});
