/**
 * Delegation: a group of version 2 whose subtree belongs to the container, so that a systemd in it can make groups of its own.
 * Limits stay the runtime's. cgroup-v2.rst, Delegation Containment.
 */
import { ENOENT } from "../../linux/abi/errno.ts";
import { AT_FDCWD } from "../../linux/abi/fcntl.ts";
import { callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { readSmallText } from "../../linux/small_file.ts";
import type { Mount, RuntimeConfig } from "../../oci/bundle/config.ts";

/** Files that whoever owns the subtree has to write, where the kernel has no list of them (until Linux 4.15). */
const FILES = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];
const KERNEL_LIST = "/sys/kernel/cgroup/delegate";

/** Gives directory and files to `uid`; their group stays. @throws {SyscallError} */
export function delegateTo(directory: string, uid: number): void {
  const listed = (readSmallText(KERNEL_LIST) ?? "").split("\n").filter((name) => /^[a-z0-9_.]+$/.test(name));
  for (const name of ["", ...(listed.length > 0 ? listed : FILES)]) {
    const path = name === "" ? directory : `${directory}/${name}`;
    const result = callRaw("fchownat", AT_FDCWD, cstr(path), uid, -1, 0);
    if (result < 0 && result !== -ENOENT) {
      throw new SyscallError({
        name: "chown",
        text: `chown(${JSON.stringify(path)}, ${uid})`,
        errno: -result,
      });
    }
  }
}

/**
 * Who gets the container's subtree, as a user of the host: who its process is, when it has a cgroup namespace of its own and
 * may write to what is mounted there, as with runc. Undefined: nobody.
 */
export function subtreeOwner({ linux = {}, mounts = [], process }: RuntimeConfig): number | undefined {
  const namespace = (name: string) => linux.namespaces?.find(({ type }) => type === name);
  const cgroup = namespace("cgroup");
  if (cgroup === undefined || cgroup.path !== undefined || !mounts.some(isWritableCgroup)) return undefined;
  const uid = process?.user.uid ?? 0;
  const user = namespace("user");
  if (user === undefined) return uid;
  const mapping = linux.uidMappings?.find(
    ({ containerID, size }) => uid >= containerID && uid < containerID + size,
  );
  // A namespace that is joined has maps that are not known here.
  if (user.path !== undefined || mapping === undefined) return undefined;
  return mapping.hostID + uid - mapping.containerID;
}

function isWritableCgroup({ type, destination, options = [] }: Mount): boolean {
  const mounted = type === "cgroup" || type === "cgroup2";
  return mounted && /^\/+sys\/+fs\/+cgroup\/*$/.test(destination) && !options.includes("ro");
}
