/** Whether this process is root of the machine, which is not the same as to have the number 0. */
import { isInFirstUserNamespace } from "../../linux/user_namespace.ts";

/** False for other users, and for root of a user namespace, as which podman calls the runtime of an ordinary user. */
export function isMachineRoot(): boolean {
  return process.geteuid?.() === 0 && isInFirstUserNamespace();
}
