/** Rows of podman as an ordinary user: those of root that take no privilege, and its own. */
import { expect } from "bun:test";
import { chownSync, mkdirSync } from "node:fs";
import { type Engine, NAME } from "./engine.ts";
import { execRows } from "./exec_rows.ts";
import { USER } from "./host.ts";
import { isolationRows } from "./isolation_rows.ts";
import { lifeRows } from "./life_rows.ts";
import { limitRows } from "./limit_rows.ts";
import type { CallerTests, Rows } from "./row.ts";

/** Where a row needs control groups, which version 1 gives to no ordinary user, a network, or files of root. */
const PRIVILEGED =
  /^cp:|^update|^run -v: a directory|pause|paused|stats|cpus|cpuset|memory|pids|--device|propagation|-p:|cgroup|control group|--privileged|--pid=host|namespaces and control/;

const ownRows: Rows<Engine> = {
  "run: root of the container is the user, and the others come from /etc/subuid": async (podman) => {
    const map = await podman.once([], ["cat", "/proc/self/uid_map"]);

    expect(map.trim().split(/\s+/)).toEqual(["0", String(USER.uid), "1", "1", "400000", "65536"]);
  },

  "run --userns=keep-id: the user keeps the number, and owns what is bound": async (podman) => {
    const directory = `${podman.host.directory}/home/shared`;
    mkdirSync(directory);
    chownSync(directory, USER.uid, USER.uid);
    const options = ["--userns=keep-id", "-v", `${directory}:/inner`];

    const shown = await podman.once(options, [
      "sh",
      "-c",
      "id -u; stat -c %u /inner; echo mine > /inner/file",
    ]);

    expect(shown).toBe(`${USER.uid}\n${USER.uid}`);
    expect(await Bun.file(`${directory}/file`).text()).toBe("mine\n");
  },

  "exec: enters the user namespace": async (podman) => {
    await podman.background([], ["sleep", "1000"]);

    expect(await podman.succeed(["exec", "--user=app", NAME, "id", "-u"])).toBe("1000");
    expect(await podman.exec(["cat", "/proc/self/uid_map"])).toContain(` ${USER.uid} `);
  },

  "pod: its containers share network, IPC and host name": async (podman) => {
    try {
      await podman.succeed(["pod", "create", "--name=together", "--hostname=together", "--network=none"]);
      const show = ["sh", "-c", "hostname; for name in net ipc uts; do readlink /proc/self/ns/$name; done"];

      const [one, two] = [
        await podman.once(["--pod=together"], show),
        await podman.once(["--pod=together"], show),
      ];

      expect(one).toBe(two);
      expect(one).toStartWith("together\n");
    } finally {
      await podman.run(["pod", "rm", "-f", "-t", "0", "together"]);
    }
  },
};

const shared = Object.entries({ ...lifeRows, ...execRows, ...limitRows, ...isolationRows });

/** The rows of podman as an ordinary user, and what they need. */
export const rootlessTests: Omit<CallerTests<Engine>, "start"> = {
  name: "rootless podman",
  needs: ["program podman", "program conmon", "program newuidmap", "program tmux", "user namespaces"],
  rows: { ...Object.fromEntries(shared.filter(([title]) => !PRIVILEGED.test(title))), ...ownRows },
};
