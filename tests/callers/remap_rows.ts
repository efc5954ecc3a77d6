/** Rows of docker with `userns-remap`: root of every container is another user outside. */
import { expect } from "bun:test";
import { type Engine, IMAGE, NAME, SHOW_SIZE } from "./engine.ts";
import type { CallerTests, Rows } from "./row.ts";

const rows: Rows<Engine> = {
  "run: root of the container is the first of the ids that the user has": async (docker) => {
    const map = await docker.once([], ["cat", "/proc/self/uid_map"]);

    expect(map.trim().split(/\s+/)).toEqual(["0", "400000", "65536"]);
  },

  "run: files of the image and of volumes belong to root of the container": async (docker) => {
    try {
      const script = "stat -c %u /seed/file /kept; touch /kept/new /new && stat -c %u /kept/new";

      expect(await docker.once(["-v", "kept:/kept"], ["sh", "-c", script])).toBe("0\n0\n0");
    } finally {
      await docker.succeed(["volume", "rm", "kept"]);
    }
  },

  "run -it: a terminal, and the exit code": async (docker) => {
    await using screen = docker.screen();

    screen.type(`$C run --rm -it -e PS1='box> ' ${IMAGE}; echo code $?`);
    await screen.until(/^box>$/m);
    screen.type(`${SHOW_SIZE}; exit 9`);

    await screen.until(/^30 100$[\s\S]*^code 9$/m);
  },

  "exec: enters the user namespace": async (docker) => {
    await docker.background([], ["sleep", "1000"]);

    expect(await docker.succeed(["exec", "--user=app", NAME, "id", "-u"])).toBe("1000");
    expect(await docker.exec(["cat", "/proc/self/uid_map"])).toContain(" 400000 ");
  },

  "run --userns=host: without the namespace": async (docker) => {
    const map = await docker.once(["--userns=host"], ["cat", "/proc/self/uid_map"]);

    expect(map.trim().split(/\s+/)).toEqual(["0", "0", "4294967295"]);
  },
};

/** The rows, and what they need. */
export const remapTests: Omit<CallerTests<Engine>, "start"> = {
  name: "docker with userns",
  needs: ["docker engine", "program tmux", "user namespaces"],
  rows,
};
