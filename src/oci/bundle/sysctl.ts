/** `linux.sysctl`: kernel parameters that belong to a namespace of the container (config-linux.md#sysctl). */

import type { NamespaceType } from "./config.ts";
import { type Judge, map, PATH_BYTES_MAX, text } from "./schema.ts";

/** Most parameters of a container. */
const SYSCTLS_MAX = 1024;
const NAME_MAX = 255;

/** Parameters of an IPC namespace below `kernel/` (ipc/ipc_sysctl.c). */
const IPC_PARAMETERS = new Set([
  "kernel/auto_msgmni",
  "kernel/msg_next_id",
  "kernel/msgmax",
  "kernel/msgmnb",
  "kernel/msgmni",
  "kernel/sem",
  "kernel/sem_next_id",
  "kernel/shm_next_id",
  "kernel/shm_rmid_forced",
  "kernel/shmall",
  "kernel/shmmax",
  "kernel/shmmni",
]);

const judgeName: Judge = (name) => {
  const path = name.length > NAME_MAX ? undefined : sysctlPath(name);
  if (path === undefined) return "it is no name of a kernel parameter";
  if (path === "kernel/hostname") return 'the host name is set by "hostname"';
  return sysctlNamespace(path) === undefined
    ? "it belongs to no namespace: setting it would change the host"
    : undefined;
};

/** config-linux.md#sysctl */
export const sysctl = map(text(PATH_BYTES_MAX), judgeName, SYSCTLS_MAX);

/**
 * Path below /proc/sys of a parameter, `net/ipv4/ip_forward`: as in sysctl(8), what comes first of "." and "/" is the
 * separator, and the other one is swapped. Undefined when a part is empty or leads elsewhere.
 */
export function sysctlPath(name: string): string | undefined {
  const dot = name.indexOf(".");
  const slash = name.indexOf("/");
  let path = name;
  if (dot >= 0 && slash < 0) path = name.replaceAll(".", "/");
  else if (dot >= 0 && dot < slash) path = name.replace(/[./]/g, swapSeparator);
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..") return undefined;
  }
  return path;
}

function swapSeparator(sign: string): string {
  return sign === "." ? "/" : ".";
}

/** Namespace that a parameter belongs to, by its path below /proc/sys; undefined for those of the whole machine. */
export function sysctlNamespace(path: string): NamespaceType | undefined {
  if (path.startsWith("net/")) return "network";
  if (path.startsWith("fs/mqueue/") || IPC_PARAMETERS.has(path)) return "ipc";
  if (path.startsWith("user/")) return "user";
  return path === "kernel/domainname" ? "uts" : undefined;
}
