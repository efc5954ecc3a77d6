/** Says in one line why nothing can be kept, where the kernel says no more than ENOSPC, EROFS or EACCES. */
import { dirname } from "node:path";
import { BunkerError } from "../errors.ts";
import { describeFull, diskRoom } from "../fs/disk_room.ts";
import { SyscallError } from "../linux/call.ts";
import { StoreError } from "../store/open_store.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot, stateRoot } from "./directories.ts";

const FULL: readonly string[] = ["ENOSPC", "EDQUOT"];

/** A disk takes no more: no space, inode, or quota is left. */
export class NoRoomError extends BunkerError {
  readonly code = "DISK_FULL";
}

/** A disk takes nothing. */
export class ReadOnlyError extends BunkerError {
  readonly code = "READ_ONLY";
}

/** Explains an error of the kernel; others, which speak for themselves, are handed back as they are. */
export function explainStorage(error: unknown, context: EngineContext): unknown {
  const isPlain =
    error instanceof SyscallError || (error instanceof Error && !(error instanceof BunkerError));
  const { code = "", path } = error as { readonly code?: unknown; readonly path?: unknown };
  if (!isPlain || typeof code !== "string") return error;
  if (code === "EACCES") return explainDenied(error, path, context);
  const root = dataRoot(context);
  const isElsewhere = typeof path === "string" && path.startsWith("/") && !path.startsWith(`${root}/`);
  const place = isElsewhere ? path : root;
  const subject = isElsewhere ? JSON.stringify(place) : `data root ${JSON.stringify(root)}`;
  if (code === "EROFS") {
    return new ReadOnlyError(`Cannot write to ${subject}: the file system is read-only`, {
      cause: error,
      hint: isElsewhere ? "Choose another place" : "Make it writable, or use another directory with --root",
    });
  }
  if (!FULL.includes(code)) return error;
  const state = describeFull(diskRoom(isElsewhere ? dirname(place) : root));
  return new NoRoomError(`Cannot write to ${subject}: ${state}`, {
    cause: error,
    hint: isElsewhere
      ? "Free some space, or choose another place"
      : "Free some space with bunker image prune or bunker rmi, or use another disk with --root",
  });
}

/** About a directory of bunker's own: what it says of other files is clear enough. */
function explainDenied(error: unknown, path: unknown, context: EngineContext): unknown {
  const names = (directory: string): boolean =>
    typeof path === "string"
      ? `${directory}/`.startsWith(`${path}/`) || path.startsWith(`${directory}/`)
      : error instanceof Error && error.message.includes(`"${directory}/`);
  const directory = [dataRoot(context), stateRoot(context)].find(names);
  if (directory === undefined) return error;
  return new StoreError(`Cannot use directory "${directory}": permission denied`, {
    cause: error,
    hint: "Use directories of your own with --root and --state",
  });
}
