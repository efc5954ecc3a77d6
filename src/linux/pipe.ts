/** pipe(2). */
import { O_CLOEXEC } from "./abi/fcntl.ts";
import { call } from "./call.ts";

/** The two ends of a pipe, closed on exec. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** pipe2(2) with O_CLOEXEC. @throws {SyscallError} EMFILE */
export function pipe2(): Pipe {
  const fds = new Int32Array(new ArrayBuffer(8));
  call("pipe2", new Uint8Array(fds.buffer), O_CLOEXEC);
  return { read: fds[0] as number, write: fds[1] as number };
}
