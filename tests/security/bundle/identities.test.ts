/**
 * Who a process is: CVE-2026-30892 (`exec -u 1` was root), CVE-2024-40635 and CVE-2026-46680 (a large number became root),
 * CVE-2023-25173 and CVE-2022-36109 (the primary group was missing), CVE-2025-47291 (a container with a user namespace was
 * in the wrong control group), CVE-2023-25809 (control groups of others could be written).
 */
import { describe, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { attackTest } from "../../helpers/attack.ts";
import { CGROUP } from "../../helpers/cgroup_files.ts";
import { ID_MAP, MOUNTS, NAMESPACES } from "../../helpers/runtime_bundle.ts";

const HUGE = ["4294967295", "4294967296", "2147483648000", "18446744073709551616", "99999999999999999999"];
const MALFORMED = [
  "name",
  "name:grp",
  "1:",
  ":1",
  "+1",
  " 1",
  "-1",
  "0x1",
  "1e3",
  "1:2:3",
  "",
  "1:-1",
  "1:name",
  ...HUGE,
];
const VALID = {
  "1": "1 0",
  "1:2": "1 2",
  "0": "0 0",
  "2147483648:3": "2147483648 3",
  "4294967294": "4294967294 0",
};

describe("exec --user", () => {
  attackTest("is the user of the number, and nobody else", async ({ runtime }) => {
    const container = await runtime.start({ sh: "exec sleep 60" });

    for (const [user, ids] of Object.entries(VALID)) {
      expect({ user, ids: await container.sh("echo $(id -u) $(id -g)", "--user", user) }).toEqual({
        user,
        ids: `${ids}\n`,
      });
    }
  });

  attackTest("refuses what is no number of a user, whatever the root says of it", async ({ runtime }) => {
    const bundle = await runtime.bundle({ sh: "exec sleep 60" });
    const names = [...HUGE, "name", "+1", "-1"].map((name) => `${name}:x:0:0::/:/bin/sh\n`);
    writeFileSync(`${bundle.root}/etc/passwd`, names.join(""));
    const container = await runtime.start(bundle);

    for (const user of MALFORMED) {
      const { exitCode, stdout, stderr } = await runtime.command(
        "exec",
        `--user=${user}`,
        container.id,
        "/bin/id",
      );

      expect({ user, refused: exitCode !== 0, stdout, stderr }).toEqual({
        user,
        refused: true,
        stdout: "",
        stderr: expect.stringContaining("invalid value"),
      });
    }
  });
});

describe("process.user", () => {
  attackTest("of a number beyond 32 bits is refused", async ({ runtime }) => {
    for (const uid of [4294967295, 4294967296, 2 ** 53, -1, 1.5]) {
      expect(await runtime.refusal({ process: { user: { uid, gid: 0 } } })).toContain("process.user.uid");
    }
  });

  attackTest("has its primary group among its groups, in run and exec", async ({ runtime }) => {
    const groups = "id -G | tr ' ' '\\n' | sort -n | uniq | xargs";

    const user = { uid: 1000, gid: 50, additionalGids: [60, 70] };
    expect(await runtime.output({ sh: groups, process: { user } })).toBe("50 60 70\n");
    const container = await runtime.start({ sh: "exec sleep 60", process: { user } });
    expect(await container.sh(groups)).toBe("50 60 70\n");
    expect(await container.sh(groups, "--user", "4711:4712", "--additional-gids", "9")).toBe("9 4712\n");
  });
});

describe("the control group", () => {
  const namespaces = [...NAMESPACES, { type: "user" }, { type: "cgroup" }];
  const mapped = { namespaces, uidMappings: ID_MAP, gidMappings: ID_MAP, resources: { pids: { limit: 7 } } };

  attackTest(
    "of a container with a user namespace is its own, for exec too",
    async ({ runtime }) => {
      const container = await runtime.start({ sh: "exec sleep 60", linux: mapped });
      const { pid } = await container.state();
      const exec = Bun.spawn(runtime.words("exec", container.id, "/bin/sleep", "1000"), {
        stdio: ["ignore", "ignore", "ignore"],
      });
      while ((await container.sh("ps | grep -c '[s]leep 1000'; true")) !== "1\n" && exec.exitCode === null);

      const { stdout } = await runtime.command("ps", "--format", "json", container.id);
      const pids = JSON.parse(stdout) as number[];

      expect(pids).toHaveLength(2);
      expect(pids).toContain(pid);
      for (const each of pids)
        expect(readFileSync(`/proc/${each}/cgroup`, "utf8")).toContain(`:/${container.id}\n`);
      await container.remove();
      await exec.exited;
    },
    CGROUP,
  );

  attackTest(
    "cannot be left or changed from inside, where it is shown read-only or with mapped ids",
    async ({ runtime }) => {
      const show = {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro", "nosuid", "noexec", "nodev"],
      };
      const sysfs = {
        destination: "/sys",
        type: "sysfs",
        source: "sysfs",
        options: ["ro", "nosuid", "noexec", "nodev"],
      };
      const sh = [
        "for f in $(find /sys/fs/cgroup -name cgroup.procs -o -name tasks -o -name release_agent -o -name 'pids.max'); do",
        "(echo 0 > $f) 2> /dev/null && echo written $f; done; echo looked at $(find /sys/fs/cgroup | wc -l)",
      ].join(" ");

      const output = await runtime.output({ sh, mounts: [...MOUNTS, sysfs, show], linux: mapped });

      expect(output).not.toContain("written");
      expect(output).not.toContain("looked at 1\n");
    },
    CGROUP,
  );
});
