/** Every caller with its rows; docs/callers.md is their list. */
import { buildahTests } from "./buildah_rows.ts";
import { containerdTests } from "./containerd_rows.ts";
import { dockerTests } from "./docker_rows.ts";
import { podmanTests } from "./podman_rows.ts";
import { remapTests } from "./remap_rows.ts";
import { rootlessTests } from "./rootless_rows.ts";
import { swarmTests } from "./swarm_rows.ts";

const callers = [
  podmanTests,
  rootlessTests,
  dockerTests,
  remapTests,
  containerdTests,
  buildahTests,
  swarmTests,
];

/** Titles of rows by the name of their caller. */
export const rowTitles: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  callers.map(({ name, rows }) => [name, Object.keys(rows)]),
);
