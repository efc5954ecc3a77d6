/** Which ids a user may give to a container: the own one, and the ranges of subuid(5) where newuidmap is there. */
import { readFileSync } from "node:fs";
import { findMapHelper } from "../runtime/process/id_maps.ts";
import type { IdMapping } from "../runtime/spec/config.ts";

/** The id maps of a user namespace; `single` when only the own id is there. */
export interface IdMaps {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
  readonly single: boolean;
}

/** The maps for the user who runs bunker. */
export function idMapsOfUser(): IdMaps {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const uids = [{ containerID: 0, hostID: uid, size: 1 }];
  const gids = [{ containerID: 0, hostID: gid, size: 1 }];
  const helpers = findMapHelper("newuidmap") !== undefined && findMapHelper("newgidmap") !== undefined;
  const owners = helpers ? [String(uid), nameOf(uid)] : [];
  const subuids = readRanges("/etc/subuid", owners);
  const subgids = readRanges("/etc/subgid", owners);
  if (subuids.length === 0 || subgids.length === 0) return { uids, gids, single: true };
  return { uids: [...uids, ...subuids], gids: [...gids, ...subgids], single: false };
}

/** Name of a user of this machine. Bun's userInfo() would take it from $USER, which may be unset or another's. */
function nameOf(uid: number): string | undefined {
  const entry = linesOf("/etc/passwd").find((line) => line.split(":")[2] === String(uid));
  // A user of a directory service is not in the file; newuidmap(1) checks the name anyway.
  return entry === undefined ? process.env["USER"] : entry.split(":")[0];
}

/** Ranges of one user, laid one after another from container id 1 on. */
function readRanges(path: string, owners: readonly (string | undefined)[]): IdMapping[] {
  let containerID = 1;
  return linesOf(path).flatMap((line) => {
    const [owner, start, count] = line.split(":");
    if (!owners.includes(owner)) return [];
    const mapping = { containerID, hostID: Number(start), size: Number(count) };
    if (!Number.isSafeInteger(mapping.hostID) || !(mapping.size > 0)) return [];
    containerID += mapping.size;
    return [mapping];
  });
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    // No file: no subordinate ids for anybody.
    return [];
  }
}
