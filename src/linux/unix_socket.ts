/** Connecting to a socket in the file system: unix(7). */
import { AT_FDCWD, O_CLOEXEC, O_PATH } from "./abi/fcntl.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "./abi/socket.ts";
import { call, callRaw, cstr, SyscallError } from "./call.ts";

/** struct sockaddr_un: the family, then the path with its NUL. */
const PATH_MAX = 108;

/**
 * Connects to the stream socket at `path`, however long that is: it is opened first and reached by its descriptor.
 * @returns the connected descriptor, closed on exec.
 * @throws {SyscallError} ENOENT, ECONNREFUSED …
 */
export function connectUnix(path: string): number {
  const place = call("openat", AT_FDCWD, cstr(path), O_PATH | O_CLOEXEC);
  const socket = call("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const result = callRaw("connect", socket, addressOf(`/proc/self/fd/${place}`), 2 + PATH_MAX);
  call("close", place);
  if (result === 0) return socket;
  call("close", socket);
  throw new SyscallError({ name: "connect", text: `connect(${JSON.stringify(path)})`, errno: -result });
}

function addressOf(path: string): Uint8Array {
  const address = new Uint8Array(new ArrayBuffer(2 + PATH_MAX));
  address[0] = AF_UNIX;
  address.set(cstr(path), 2);
  return address;
}
