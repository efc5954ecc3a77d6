import type { Engine } from "./engine.ts";
import { execRows } from "./exec_rows.ts";
import { isolationRows } from "./isolation_rows.ts";
import { lifeRows } from "./life_rows.ts";
import { limitRows } from "./limit_rows.ts";
import type { CallerTests } from "./row.ts";

export const podmanTests: Omit<CallerTests<Engine>, "start"> = {
  name: "podman",
  needs: ["program podman", "program conmon", "program tmux"],
  rows: { ...lifeRows, ...execRows, ...limitRows, ...isolationRows },
};
