/** podman with the runtime under test: every row of its own, and those that it shares with docker. */
import { startPodman } from "./podman.ts";
import { podmanTests } from "./podman_rows.ts";
import { defineRows } from "./row.ts";

defineRows({ ...podmanTests, start: startPodman });
