/** The user namespace of this process: user_namespaces(7). */
import { readSmallText } from "./small_file.ts";

/** Where every user is itself; the inner namespaces of the machine can look the same only when they map all ids. */
const IDENTITY = /^\s*0\s+0\s+4294967295\s/;

let found: boolean | undefined;

/** Whether this is the machine's own namespace. Without /proc nothing is known, and it is taken for that one. */
export function isInFirstUserNamespace(): boolean {
  found ??= IDENTITY.test(readSmallText("/proc/self/uid_map") ?? "0 0 4294967295\n");
  return found;
}
