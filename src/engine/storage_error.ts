/** Says in one line what is in the way, where the kernel says no more than ENOSPC, EROFS, EACCES, EIO or EMFILE. */
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

/** A disk fails, or descriptors or memory are lacking; `code` is the kernel's. */
export class RefusedError extends BunkerError {
  readonly code: string;

  constructor(message: string, details: { code: string; cause: unknown; hint: string }) {
    super(message, details);
    this.code = details.code;
  }
}

const DAMAGE_HINT = "Look for the reason with dmesg, and for damage with bunker system check --full";
const REFUSALS: Readonly<Record<string, { readonly state: string; readonly hint: string }>> = {
  EIO: { state: "the disk or device fails", hint: DAMAGE_HINT },
  EMFILE: { state: "too many files are open", hint: "Raise the limit of open files with ulimit -n" },
  ENFILE: { state: "too many files are open on this machine", hint: "End other programs" },
  ENOMEM: { state: "no memory is left", hint: "End other programs, or raise the limit of memory" },
};

/** Explains an error of the kernel; others, which speak for themselves, are handed back as they are. */
export function explainStorage(error: unknown, context: EngineContext): unknown {
  const isPlain =
    error instanceof SyscallError || (error instanceof Error && !(error instanceof BunkerError));
  const { code = "", path } = error as { readonly code?: unknown; readonly path?: unknown };
  if (!isPlain || typeof code !== "string") return error;
  if (code === "EACCES") return explainDenied(error, path, context);
  if (code === "EFAULT" && typeof path === "string" && (error as NodeJS.ErrnoException).syscall === "rm") {
    // What Bun's rmSync() makes of EPERM, EIO, ENOSPC, EDQUOT.
    const hint = "Look at its attributes with lsattr, and for what the kernel says with dmesg";
    return new RefusedError(`Cannot remove ${JSON.stringify(path)}`, { code, cause: error, hint });
  }
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
  const refusal = REFUSALS[code];
  if (refusal !== undefined) {
    const isNamed = typeof path === "string" || (error as Error).message.includes(`"${root}/`);
    const what = isNamed ? `use ${subject}` : "go on";
    return new RefusedError(`Cannot ${what}: ${refusal.state}`, { code, cause: error, hint: refusal.hint });
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
