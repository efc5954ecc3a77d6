/** `mounts` (config.md#mounts). What an option means is left to the runtime; here are the rules between fields. */

import type { IdMapping, Mount } from "./config.ts";
import { judgeMappings, mappings } from "./mappings.ts";
import { list, NAME_BYTES_MAX, PATH_BYTES_MAX, type Report, record, TEXT_BYTES_MAX, text } from "./schema.ts";

/** Most mounts of a container: far above real ones, far below the kernel's 100,000 (fs.mount-max). */
const MOUNTS_MAX = 4096;
/** Most options of one mount. */
const OPTIONS_MAX = 1024;

/** One mount. */
const mount = record<Mount>(
  "config.md#mounts",
  {
    destination: text(PATH_BYTES_MAX),
    type: text(NAME_BYTES_MAX),
    source: text(PATH_BYTES_MAX),
    options: list(text(TEXT_BYTES_MAX), OPTIONS_MAX),
    uidMappings: mappings,
    gidMappings: mappings,
  },
  { required: ["destination"], rule: checkMount },
);

/** config.md#mounts */
export const mounts = list(mount, MOUNTS_MAX);

/** Whether a mount shows existing files in another place. */
export function isBindMount({ type, options = [] }: Mount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** Whether a mount asks for other owners by an option: `idmap`, `ridmap`, and `idmap=…` with a map of its own. */
export function asksForIdMap({ options = [] }: Mount): "plain" | "own" | undefined {
  for (const option of options) {
    if (option === "idmap" || option === "ridmap") return "plain";
    if (option.startsWith("idmap=") || option.startsWith("ridmap=")) return "own";
  }
  return undefined;
}

function checkMount(mount: Mount, report: Report): void {
  const { destination, source, uidMappings = [], gidMappings = [] } = mount;
  // Relative ones are taken from "/": config.md#mounts has them since 1.2.
  if (isRoot(destination)) {
    report("destination", "it would cover the root of the container");
  }
  if (source === undefined && isBindMount(mount)) report("source", "a bind mount needs a source");
  if (uidMappings.length > 0 !== gidMappings.length > 0) {
    const missing = uidMappings.length > 0 ? "gidMappings" : "uidMappings";
    report(missing, "uidMappings and gidMappings belong together");
  }
  checkMappings("uidMappings", uidMappings, report);
  checkMappings("gidMappings", gidMappings, report);
}

function checkMappings(field: string, maps: readonly IdMapping[], report: Report): void {
  const complaint = maps.length > 1 ? judgeMappings(maps) : undefined;
  if (complaint !== undefined) report(field, complaint);
}

/** A path of nothing but slashes, "." and "..". */
function isRoot(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    if (path[at] !== "/" && path[at] !== ".") return false;
  }
  return path.split("/").every((part) => part.length <= 2);
}
