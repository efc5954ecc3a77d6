/** Which ids a user may give to a container: the own one, and the ranges of subuid(5) where newuidmap is there. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
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
  const { uid, gid, username } = userInfo();
  const uids = [{ containerID: 0, hostID: uid, size: 1 }];
  const gids = [{ containerID: 0, hostID: gid, size: 1 }];
  const helpers = findMapHelper("newuidmap") !== undefined && findMapHelper("newgidmap") !== undefined;
  const subuids = helpers ? readRanges("/etc/subuid", { uid, username }) : [];
  const subgids = helpers ? readRanges("/etc/subgid", { uid, username }) : [];
  if (subuids.length === 0 || subgids.length === 0) return { uids, gids, single: true };
  return { uids: [...uids, ...subuids], gids: [...gids, ...subgids], single: false };
}

/** Ranges of one user, laid one after another from container id 1 on. */
function readRanges(path: string, { uid, username }: { uid: number; username: string }): IdMapping[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // No file: no subordinate ids for anybody.
    return [];
  }
  let containerID = 1;
  return text.split("\n").flatMap((line) => {
    const [owner, start, count] = line.split(":");
    if (owner !== username && owner !== String(uid)) return [];
    const mapping = { containerID, hostID: Number(start), size: Number(count) };
    if (!Number.isSafeInteger(mapping.hostID) || !(mapping.size > 0)) return [];
    containerID += mapping.size;
    return [mapping];
  });
}
