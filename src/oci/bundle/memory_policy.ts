/** `linux.memoryPolicy`: on which memory nodes pages are taken (config-linux.md#memory-policy, set_mempolicy(2)). */

import type { MemoryPolicy } from "./config.ts";
import { numberList } from "./numbers.ts";
import { list, oneOf, PATH_BYTES_MAX, type Report, record, text } from "./schema.ts";

/** Modes of set_mempolicy(2); the index is the kernel's number. */
export const MEMORY_POLICY_MODES = [
  "MPOL_DEFAULT",
  "MPOL_PREFERRED",
  "MPOL_BIND",
  "MPOL_INTERLEAVE",
  "MPOL_LOCAL",
  "MPOL_PREFERRED_MANY",
  "MPOL_WEIGHTED_INTERLEAVE",
] as const;

/** Flags of set_mempolicy(2). */
export const MEMORY_POLICY_FLAGS = [
  "MPOL_F_NUMA_BALANCING",
  "MPOL_F_RELATIVE_NODES",
  "MPOL_F_STATIC_NODES",
] as const;

const FLAGS_MAX = 8;

/** config-linux.md#memory-policy */
export const memoryPolicy = record<MemoryPolicy>(
  "config-linux.md#memory-policy",
  {
    mode: oneOf(...MEMORY_POLICY_MODES),
    nodes: text(PATH_BYTES_MAX, numberList),
    flags: list(oneOf(...MEMORY_POLICY_FLAGS), FLAGS_MAX),
  },
  { required: ["mode"], rule: checkPolicy },
);

/** Combinations that the kernel answers with EINVAL (mm/mempolicy.c). */
function checkPolicy({ mode, nodes, flags = [] }: MemoryPolicy, report: Report): void {
  const isStatic = flags.includes("MPOL_F_STATIC_NODES");
  const isRelative = flags.includes("MPOL_F_RELATIVE_NODES");
  const takesNone = mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL";
  if (takesNone && nodes !== undefined) report("nodes", `${mode} takes no nodes`);
  if (!takesNone && mode !== "MPOL_PREFERRED" && nodes === undefined) report("nodes", `${mode} needs nodes`);
  if (isStatic && isRelative)
    report("flags", "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
  else if ((isStatic || isRelative) && nodes === undefined) report("flags", "flags for nodes without nodes");
  if (flags.includes("MPOL_F_NUMA_BALANCING") && mode !== "MPOL_BIND" && mode !== "MPOL_PREFERRED_MANY") {
    report("flags", "MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY");
  }
}
