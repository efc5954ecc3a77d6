/**
 * Who a user is in a container: reads the container's own /etc/passwd and /etc/group through its root directory.
 * Both are hostile: opened beneath the root, never through links that leave it, only regular files, at most a MiB
 * (CVE-2024-9676). A name of digits is always a number (CVE-2026-46680).
 */
import { BunkerError } from "../../errors.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  OPEN_HOW_SIZE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFMT,
  S_IFREG,
} from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { openHow } from "../../linux/open_how.ts";
import { STAT_SIZE, statMode } from "../../linux/stat.ts";
import type { Identity } from "./identity.ts";
import { resolveIdentity, UnknownUserError } from "./passwd.ts";

/** Longest /etc/passwd or /etc/group that is read, in bytes. */
const FILE_SIZE_MAX = 1 << 20;

/** The user of a container cannot be found. */
export class UserError extends BunkerError {
  readonly code = "USER";
}

/**
 * Looks up `user` (`name|uid[:group|gid]`, empty for root) in the root of process `pid`.
 * @throws {UserError} when the name or group is not there.
 */
export function lookUpUser(pid: number, user: string): Identity {
  const root = call("openat", AT_FDCWD, cstr(`/proc/${pid}/root`), O_PATH | O_DIRECTORY | O_CLOEXEC);
  try {
    return resolveIdentity(user, {
      passwd: () => readBeneath(root, "etc/passwd"),
      group: () => readBeneath(root, "etc/group"),
    });
  } catch (error) {
    if (!(error instanceof UnknownUserError)) throw error;
    throw new UserError(`Cannot run as user "${user}"`, {
      cause: error,
      hint: "Use a user that the image has, or a number: bunker run -u 1000:1000 …",
    });
  } finally {
    call("close", root);
  }
}

const how = openHow(O_CLOEXEC | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

/** Text of a file of the container, "" when there is none that can be read. */
function readBeneath(root: number, path: string): string {
  const fd = callRaw("openat2", root, cstr(path), how, OPEN_HOW_SIZE);
  if (fd < 0) return "";
  try {
    const stat = new Uint8Array(new ArrayBuffer(STAT_SIZE));
    call("fstat", fd, stat);
    if ((statMode(stat) & S_IFMT) !== S_IFREG) return "";
    return readText(fd);
  } finally {
    call("close", fd);
  }
}

function readText(fd: number): string {
  const chunk = new Uint8Array(new ArrayBuffer(65536));
  const parts: Uint8Array[] = [];
  for (let total = 0; total < FILE_SIZE_MAX; ) {
    const count = call("read", fd, chunk, chunk.length);
    if (count === 0) break;
    parts.push(chunk.slice(0, count));
    total += count;
  }
  return Buffer.concat(parts).toString("latin1");
}
