/** Maps of user and group numbers: config-linux.md#user-namespace-mappings, user_namespaces(7). */

import type { IdMapping } from "./config.ts";
import { uint32 } from "./numbers.ts";
import { list, record, type Schema, whole } from "./schema.ts";

/** The kernel's UID_GID_MAP_MAX_EXTENTS. */
const MAPPINGS_MAX = 340;
const U32_MAX = 4_294_967_295;

/** A list of mappings. */
export const mappings: Schema = list(
  record<IdMapping>(
    "config-linux.md#user-namespace-mappings",
    { containerID: uint32, hostID: uint32, size: whole(1, U32_MAX) },
    {
      required: ["containerID", "hostID", "size"],
      rule({ containerID, hostID, size }, report) {
        if (containerID + size > U32_MAX)
          report("size", "the mapping goes beyond the last id of the container");
        else if (hostID + size > U32_MAX) report("size", "the mapping goes beyond the last id of the host");
      },
    },
  ),
  MAPPINGS_MAX,
);

/** What is wrong with a list of mappings as a whole: the kernel refuses overlaps on either side. */
export function judgeMappings(maps: readonly IdMapping[]): string | undefined {
  const both = [
    { side: "container", extents: maps.map(({ containerID, size }) => ({ first: containerID, size })) },
    { side: "host", extents: maps.map(({ hostID, size }) => ({ first: hostID, size })) },
  ];
  for (const { side, extents } of both) {
    extents.sort((one, other) => one.first - other.first);
    for (let index = 1; index < extents.length; index++) {
      const [before, next] = [extents[index - 1], extents[index]];
      if (before === undefined || next === undefined || before.first + before.size <= next.first) continue;
      return `two mappings overlap at id ${next.first} of the ${side}`;
    }
  }
  return undefined;
}
