/** Whether this process may make device nodes: capget(2). */
import { callRaw } from "../../linux/call.ts";
import { isInFirstUserNamespace } from "../../linux/user_namespace.ts";

const VERSION_3 = 0x20080522;
const CAP_MKNOD = 27;

/** CAP_MKNOD is in the effective set, and counts: root of a user namespace is refused. A device cgroup may refuse, too. */
export function canMakeDevices(): boolean {
  // struct __user_cap_header_struct: version, process; then twice effective, permitted, inheritable.
  const header = new Uint32Array([VERSION_3, 0]);
  const data = new Uint32Array(new ArrayBuffer(24));
  const result = callRaw("capget", new Uint8Array(header.buffer), new Uint8Array(data.buffer));
  return result === 0 && (((data[0] as number) >>> CAP_MKNOD) & 1) === 1 && isInFirstUserNamespace();
}
