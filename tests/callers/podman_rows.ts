/** Rows of podman: those that it shares with docker, and its own. */
import type { Engine } from "./engine.ts";
import { execRows } from "./exec_rows.ts";
import { isolationRows } from "./isolation_rows.ts";
import { lifeRows } from "./life_rows.ts";
import { limitRows } from "./limit_rows.ts";
import { podRows } from "./pod_rows.ts";
import type { CallerTests } from "./row.ts";

/** podman's rows and what they need. */
export const podmanTests: Omit<CallerTests<Engine>, "start"> = {
  name: "podman",
  needs: ["program podman", "program conmon", "program tmux"],
  lacking: {
    "run --cgroups=disabled: no control group is made": { runc: "has no such mode" },
    "run --mount idmap: files belong to the users of the container": {
      runc: "1.1 takes the option for one of the file system",
    },
  },
  rows: { ...lifeRows, ...execRows, ...limitRows, ...isolationRows, ...podRows },
};
