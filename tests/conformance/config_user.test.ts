/** config.md, User: ids, groups and umask of the process. */
import { describe, expect } from "bun:test";
import { conformanceTest } from "./harness.ts";

describe("config.md#posix-platform-user", () => {
  conformanceTest("sets all ids of user and group", [], async (runtime) => {
    const sh = "grep -E '^[UG]id:' /proc/self/status | tr '\\t' ' '";

    const output = await runtime.output({ sh, process: { user: { uid: 1234, gid: 5678 } } });

    expect(output).toBe("Uid: 1234 1234 1234 1234\nGid: 5678 5678 5678 5678\n");
  });

  conformanceTest("adds the additional groups and no others", [], async (runtime) => {
    const user = { uid: 1, gid: 2, additionalGids: [5, 77] };
    const sh = "grep ^Groups: /proc/self/status | xargs";

    const listed = await runtime.output({ sh, process: { user } });
    const none = await runtime.output({ sh, process: { user: { uid: 1, gid: 2 } } });

    // The primary group may be among them: without it a file that denies it could be read (CVE-2022-36109).
    expect(listed).toMatch(/^Groups: (2 )?5 77\n$/);
    expect(none).toMatch(/^Groups:( 2)?\n$/);
  });

  conformanceTest("sets the umask", [], async (runtime) => {
    const user = { uid: 0, gid: 0, umask: 0o27 };

    expect(await runtime.output({ sh: "umask; touch /srv/x; stat -c %a /srv/x", process: { user } })).toBe(
      "0027\n640\n",
    );
  });

  conformanceTest("refuses ids that are no ids", [], async (runtime) => {
    await runtime.refusal({ process: { user: { uid: -1, gid: 0 } } });
    await runtime.refusal({ process: { user: { uid: "root", gid: 0 } } });
  });
});
