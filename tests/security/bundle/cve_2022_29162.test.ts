/**
 * CVE-2022-29162, CVE-2022-27649, CVE-2022-27650, CVE-2022-27651, CVE-2022-24769, CVE-2025-27612: processes had inheritable
 * capabilities that nobody had asked for.
 */
import { describe, expect } from "bun:test";
import { attackTest } from "../../helpers/attack.ts";

const SETS = "grep -E 'Cap(Inh|Amb)' /proc/self/status | cut -f2 | sort -u";
const NONE = "0000000000000000\n";

describe("inheritable and ambient capabilities", () => {
  attackTest("are none of run", async ({ runtime }) => {
    for (const uid of [0, 1000]) {
      expect(await runtime.output({ sh: SETS, process: { user: { uid, gid: uid } } })).toBe(NONE);
    }
  });

  attackTest("are none of exec, whatever is added and whoever it is for", async ({ runtime }) => {
    const container = await runtime.start({ sh: "exec sleep 60" });

    for (const flags of [[], ["--cap", "CAP_NET_ADMIN"], ["--cap", "CAP_SYS_ADMIN", "--user", "1000:1000"]]) {
      expect({ flags, sets: await container.sh(SETS, ...flags) }).toEqual({ flags, sets: NONE });
    }
  });
});
