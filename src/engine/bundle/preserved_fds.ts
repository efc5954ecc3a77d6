/**
 * Descriptors of the caller that the command is to have: `--preserve-fds`, and the sockets of systemd. Each has to be
 * there. A number that is free would be taken by what the program opens on its way, a directory of the host perhaps, and
 * the command would find that open (CVE-2024-21626).
 */
import { F_GETFD } from "../../linux/abi/fcntl.ts";
import { callRaw } from "../../linux/call.ts";
import { readSmallText } from "../../linux/small_file.ts";
import { inheritedFd } from "../../linux/spawn.ts";
import { RuntimeError } from "./context.ts";
import { logFds } from "./stream.ts";

/** The first that can be handed on: after standard error. */
const FIRST = 3;

/** Most descriptors that can be handed on; the program's own follow, its report page first. */
export const PRESERVED_FDS_MAX = inheritedFd(-1) - FIRST;

/**
 * Bun's own below `end`: its epoll descriptor, and what that watches, which was opened later (proc_pid_fdinfo(5)). Nothing
 * else tells them from the caller's, since Bun sets all from 4 on to be closed on exec.
 */
function eventFds(end: number): number[] {
  const fds: number[] = [];
  for (let fd = FIRST; fd < end; fd++) {
    const watched = [...(readSmallText(`/proc/self/fdinfo/${fd}`) ?? "").matchAll(/^tfd: +(\d+)/gm)];
    if (watched.length > 0) fds.push(fd, ...watched.map(([, number]) => Number(number)));
  }
  return fds;
}

/** @throws {RuntimeError} unless this process was started with all `count` descriptors. */
export function checkPreserved(count: number): void {
  if (count > PRESERVED_FDS_MAX) {
    throw new RuntimeError(
      `cannot preserve ${count} descriptors: at most ${PRESERVED_FDS_MAX} can be handed on`,
    );
  }
  const own = new Set(count === 0 ? [] : [...logFds, ...eventFds(FIRST + count)]);
  for (let fd = FIRST; fd < FIRST + count; fd++) {
    if (own.has(fd) || callRaw("fcntl", fd, F_GETFD) < 0) {
      throw new RuntimeError(`cannot preserve descriptor ${fd} (of ${count}): it is not open`);
    }
  }
}
