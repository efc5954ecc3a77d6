/**
 * `-t`: a pseudo-terminal of the container's own devpts (pty(7)). The master goes to the parent over a socket
 * (SCM_RIGHTS, unix(7)); the other end comes from the master itself by TIOCGPTPEER, so that no path of the
 * container can stand in its place (CVE-2025-52565), and is mounted on /dev/console.
 */
import {
  AT_EMPTY_PATH,
  O_NOCTTY,
  O_PATH,
  O_RDWR,
  OPEN_HOW_SIZE,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
} from "../../linux/abi/fcntl.ts";
import { OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import { CMSG_LENGTH, CMSG_SPACE, MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET } from "../../linux/abi/socket.ts";
import { TIOCGPTPEER, TIOCGWINSZ, TIOCSCTTY, TIOCSPTLCK, TIOCSWINSZ } from "../../linux/abi/tty.ts";
import { openHow } from "../../linux/open_how.ts";
import type { Program } from "../../linux/program.ts";
import type { Argument, Variable } from "../../linux/step.ts";
import { attach } from "../rootfs/mounts.ts";

const realFile = openHow(O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

/** Opens the terminal, sends its master to `socket`. @returns the container's end. */
export function planTerminal(
  program: Program,
  { dev, socket }: { readonly dev: Variable; readonly socket: number },
): Variable {
  program.section("open a terminal");
  const master = program.openat(dev, "pts/ptmx", O_RDWR | O_NOCTTY).result;
  const terminal = planPeer(program, master);
  planWindowSize(program, master);
  // One byte has to go along: ancillary data alone is not sent on a stream.
  planSentMaster(program, master, { socket, name: "t" });
  program.section("mount the terminal on /dev/console");
  planMountedConsole(program, terminal, dev);
  return terminal;
}

/** Unlocks the terminal of a master. @returns its other end */
export function planPeer(program: Program, master: Variable): Variable {
  program.ioctl(master, TIOCSPTLCK, new Uint8Array(8));
  return program.ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY).result;
}

/** Sends a master over a socket with `name` as data. */
export function planSentMaster(
  program: Program,
  master: Variable,
  { socket, name }: { readonly socket: Argument; readonly name: string },
): void {
  const data = program.words(name, Buffer.byteLength(name));
  const control = program.words(CMSG_LENGTH, SOL_SOCKET + SCM_RIGHTS * 2 ** 32, master);
  // struct msghdr: name, its length, iov, their count, control, its length, flags.
  program.sendmsg(socket, program.words(0, 0, data, 1, control, CMSG_SPACE, 0), MSG_NOSIGNAL);
}

/** Mounts the terminal on `console` in the directory `dev`; what is there already must be no symbolic link. */
export function planMountedConsole(program: Program, terminal: Variable, dev: Variable): void {
  // mknod, not open: an image's own could be a device. EEXIST is no error; anything else shows in the next step.
  program.mknodat(dev, "console", S_IFREG | 0o600, 0).ignoreErrors();
  const place = program.openat2(dev, "console", realFile, OPEN_HOW_SIZE).result;
  attach(program, program.open_tree(terminal, "", OPEN_TREE_CLONE | AT_EMPTY_PATH).result, place);
}

/** Takes the size from the caller's terminal: before the engine does, the command may have asked for it already. */
function planWindowSize(program: Program, master: Variable): void {
  const size = program.room(8);
  const found = program.label();
  for (const fd of [0, 1, 2]) program.ioctl(fd, TIOCGWINSZ, size).ignoreErrors().onSuccess(found);
  program.place(found).ioctl(master, TIOCSWINSZ, size).ignoreErrors();
}

/** Makes the terminal the controlling one, and standard input, output and error. */
export function planStandardStreams(program: Program, terminal: Variable): void {
  program.section("attach the terminal");
  program.ioctl(terminal, TIOCSCTTY, 0);
  for (const fd of [0, 1, 2]) program.dup3(terminal, fd);
}
