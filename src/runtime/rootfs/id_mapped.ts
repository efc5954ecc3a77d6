/**
 * Mounts whose owners are mapped (config.md#mounts, uidMappings; mount_setattr(2), MOUNT_ATTR_IDMAP). The kernel takes
 * the map from a user namespace, so one is made by a process that never runs anything.
 */
import { UsageError } from "../../errors.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { CLONE_NEWUSER, SIGKILL } from "../../linux/abi/sched.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { socketpair } from "../../linux/socket_pair.ts";
import { executableOf, finishProgram, programWithReport, spawnProgram } from "../../linux/spawn.ts";
import { waitForExit } from "../../linux/wait.ts";
import type { Linux, Mount } from "../../oci/bundle/config.ts";
import { type IdMappings, writeIdMaps } from "../process/id_maps.ts";
import { mapIds } from "./detached.ts";
import type { RootRequest } from "./prepare_root.ts";

/** Whose ids are mapped, and where the map may come from. */
export interface MountMap {
  readonly mount: Mount;
  readonly linux: Linux;
  readonly request: RootRequest;
}

/**
 * Maps the owners of the detached mount `fd`: by the mount's own map, or the container's.
 * @throws {UsageError} when there is none, or the filesystem cannot be mapped.
 */
export function mapMount(fd: number, { mount, linux, request }: MountMap): void {
  const userNamespace = openNamespace({ mount, linux, request });
  try {
    mapIds(fd, { userNamespace, recursive: mount.options?.includes("ridmap") === true });
  } catch (cause) {
    throw new UsageError(`Cannot map the ids of "${mount.source}": ${(cause as Error).message}`, { cause });
  } finally {
    call("close", userNamespace);
  }
}

function openNamespace({ mount, linux, request }: MountMap): number {
  const own = mapsOf(mount) ?? mapsOf(linux);
  if (own !== undefined) return makeNamespace(own, request.programFile);
  const path = request.userNamespacePath;
  if (path === undefined)
    throw new UsageError(`Cannot map the ids of "${mount.source}": neither it nor the container has a map`);
  return call("openat", AT_FDCWD, cstr(path), O_RDONLY | O_CLOEXEC);
}

function mapsOf({ uidMappings = [], gidMappings = [] }: Partial<IdMappings>): IdMappings | undefined {
  return uidMappings.length === 0 ? undefined : { uidMappings, gidMappings };
}

/** A user namespace with these maps, held by the returned descriptor alone. */
function makeNamespace(maps: IdMappings, programFile: string): number {
  const [engine, child] = socketpair();
  const started = spawnProgram(executableOf(finishProgram(programWithReport())), {
    namespaces: CLONE_NEWUSER,
    inherit: [],
    // Nothing is ever written to it: the process waits until it is ended.
    waitFd: child,
    engineFd: engine,
    programFile,
  });
  try {
    writeIdMaps(started.pid, maps);
    return call("openat", AT_FDCWD, cstr(`/proc/${started.pid}/ns/user`), O_RDONLY | O_CLOEXEC);
  } finally {
    callRaw("pidfd_send_signal", started.pidfd, SIGKILL, null, 0);
    waitForExit(started.pidfd);
    started.release();
    call("close", child);
    call("close", engine);
  }
}
