/** `linux.intelRdt`: shares of caches and memory bandwidth (config-linux.md#intelrdt). */

import type { IntelRdt } from "./config.ts";
import { oneLine } from "./process.ts";
import { flag, list, NAME_BYTES_MAX, record, text } from "./schema.ts";

const SCHEMA_BYTES_MAX = 4095;
const SCHEMATA_MAX = 256;
/** Directories of the kernel at the root of resctrl, which are no class. */
const RESERVED = new Set([".", "..", "info", "mon_data", "mon_groups"]);

/** config-linux.md#intelrdt */
export const intelRdt = record<IntelRdt>("config-linux.md#intelrdt", {
  closID: text(NAME_BYTES_MAX, (name) =>
    RESERVED.has(name) || /[/\n]/.test(name) ? "expected the name of a directory in resctrl" : undefined,
  ),
  schemata: list(text(SCHEMA_BYTES_MAX, oneLine), SCHEMATA_MAX),
  l3CacheSchema: text(SCHEMA_BYTES_MAX),
  memBwSchema: text(
    SCHEMA_BYTES_MAX,
    (schema) => oneLine(schema) ?? (schema.startsWith("MB:") ? undefined : 'it does not start with "MB:"'),
  ),
  enableMonitoring: flag,
  enableCMT: flag,
  enableMBM: flag,
});
