/**
 * The console of a bundle's process (config.md#process, `terminal`): a pseudo-terminal of the container's own devpts,
 * whose master goes to whoever listens at --console-socket. What is opened is checked to be of a devpts, and the other
 * end comes from the master itself, so that no path of the image can stand in its place (CVE-2025-52565).
 */
import { ENODEV } from "../../linux/abi/errno.ts";
import {
  AT_EMPTY_PATH,
  O_DIRECTORY,
  O_NOCTTY,
  O_PATH,
  O_RDWR,
  OPEN_HOW_SIZE,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../linux/abi/fcntl.ts";
import { DEVPTS_SUPER_MAGIC, STATFS_SIZE } from "../../linux/abi/magic.ts";
import { TIOCSWINSZ } from "../../linux/abi/tty.ts";
import { openHow } from "../../linux/open_how.ts";
import type { Program } from "../../linux/program.ts";
import type { Argument, Variable } from "../../linux/step.ts";
import { planMountedConsole, planPeer, planSentMaster, planStandardStreams } from "../process/terminal.ts";

const real = openHow(O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
/** Nothing may be mounted over the multiplexer of the devpts. */
const multiplexer = openHow(O_RDWR | O_NOCTTY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);

/** What the receivers of the master read with it: the name under which it was opened, as runc sends it. */
const MASTER_NAME = "/dev/ptmx";
/** The group stays what the devpts gives it: `tty`. */
const SAME_ID = 0xffffffff;

/** What the console is made with. */
export interface ConsolePlan {
  /** The assembled root, entered or not. */
  readonly root: Variable;
  /** Number in the program of the connected console socket. */
  readonly socket: Argument;
  readonly size: { readonly height: number; readonly width: number } | undefined;
  /** The process's user, who owns the terminal. */
  readonly uid: number;
  /** Data that goes along with the master [what runc sends]. */
  readonly name?: string;
  /** For `exec`: /dev/console is the container's first terminal already. */
  readonly mountConsole: boolean;
}

/** Opens the terminal, hands out its master, and makes it the controlling terminal and the standard streams. */
export function planConsole(program: Program, plan: ConsolePlan): void {
  const { root, socket, size, uid, mountConsole } = plan;
  program.section("open a terminal in /dev/pts");
  const master = planMaster(program, root);
  const terminal = planPeer(program, master);
  if (size !== undefined) {
    // struct winsize: rows, columns, and two numbers of pixels.
    const winsize = new Uint8Array(new Uint16Array([size.height, size.width, 0, 0]).buffer);
    program.ioctl(master, TIOCSWINSZ, winsize);
  }
  if (uid !== 0) program.fchownat(terminal, "", uid, SAME_ID, AT_EMPTY_PATH);
  planSentMaster(program.section("send the terminal to the console socket"), master, {
    socket,
    name: plan.name ?? MASTER_NAME,
  });
  if (mountConsole) {
    const dev = program
      .section("mount the terminal on /dev/console")
      .openat2(root, "dev", real, OPEN_HOW_SIZE);
    planMountedConsole(program, terminal, dev.result);
  }
  planStandardStreams(program, terminal);
}

/** Opens the multiplexer of what is mounted on /dev/pts, which must be a devpts. */
function planMaster(program: Program, root: Variable): Variable {
  const verified = program.label();
  const pts = program.openat2(root, "dev/pts", real, OPEN_HOW_SIZE).result;
  const statfs = program.room(STATFS_SIZE);
  program.step("fstatfs", pts, statfs);
  program.field(statfs, 0, -1, DEVPTS_SUPER_MAGIC).onZero(verified);
  // No devpts: ENODEV is what its multiplexer answers where there is none.
  program.add(0, -ENODEV);
  program.place(verified);
  return program.openat2(pts, "ptmx", multiplexer, OPEN_HOW_SIZE).result;
}
