/** Every caller with its rows; docs/callers.md is their list. */
import { containerdTests } from "./containerd_rows.ts";
import { dockerTests } from "./docker_rows.ts";
import { podmanTests } from "./podman_rows.ts";

/** Titles of rows by the name of their caller. */
export const rowTitles: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  [podmanTests, dockerTests, containerdTests].map(({ name, rows }) => [name, Object.keys(rows)]),
);
