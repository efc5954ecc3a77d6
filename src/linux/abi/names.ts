/** Names of constants for messages: which table an argument of a system call belongs to. */
import * as fcntl from "./fcntl.ts";
import * as mount from "./mount.ts";
import * as sched from "./sched.ts";
import * as tty from "./tty.ts";

type Table = ReadonlyArray<readonly [name: string, value: number]>;

const table = (constants: Record<string, unknown>, prefix: string): Table =>
  Object.entries(constants).filter((entry): entry is [string, number] => {
    return entry[0].startsWith(prefix) && typeof entry[1] === "number" && entry[1] !== 0;
  });

const open = [...table(fcntl, "O_"), ["O_RDONLY", 0] as const];
const signals = table(sched, "SIG").filter(([name]) => !name.startsWith("SIG_") && name !== "SIGNAL_MAX");
const ioctls = [...table(tty, "TIOC"), ...table(tty, "TC")];

/** By call and position of the argument: how its number is read. */
const flags: Readonly<Record<string, Readonly<Record<number, Table>>>> = {
  openat: { 2: open },
  mount: { 3: table(mount, "MS_") },
  umount2: { 1: table(mount, "MNT_") },
  unshare: { 0: table(sched, "CLONE_") },
  fsmount: { 2: table(mount, "MOUNT_ATTR_") },
  open_tree: { 2: [...table(mount, "OPEN_TREE_"), ...table(fcntl, "AT_")] },
  move_mount: { 4: table(mount, "MOVE_MOUNT_") },
  mount_setattr: { 2: table(fcntl, "AT_") },
  unlinkat: { 2: table(fcntl, "AT_") },
  waitid: { 3: [...table(sched, "WEXITED"), ...table(sched, "WNOHANG")] },
};

/** Arguments that are one value of a table, not a set of bits. */
const values: Readonly<Record<string, Readonly<Record<number, Table>>>> = {
  prctl: { 0: table(sched, "PR_") },
  fsconfig: { 1: [...table(mount, "FSCONFIG_"), ["FSCONFIG_SET_FLAG", 0] as const] },
  ioctl: { 1: ioctls },
  rt_sigaction: { 0: signals },
  pidfd_send_signal: { 1: signals },
};

/** Octal where the manual pages write modes so. */
const modes: Readonly<Record<string, readonly number[]>> = {
  openat: [3],
  mkdirat: [2],
  mknodat: [2],
  fchmod: [1],
  umask: [0],
};

/** The number as strace(1) writes it: `AT_FDCWD`, `O_PATH|O_DIRECTORY`, `0755`, `0x1000`. */
export function constantName(call: string, position: number, value: number): string {
  if (value === fcntl.AT_FDCWD && /at2?$|open_tree|move_mount/.test(call)) return "AT_FDCWD";
  const one = values[call]?.[position]?.find(([, constant]) => constant === value);
  if (one !== undefined) return one[0];
  const bits = flags[call]?.[position];
  if (bits !== undefined) return bitNames(value, bits);
  if (modes[call]?.includes(position)) return `0${value.toString(8)}`;
  return value > 65535 ? `0x${value.toString(16)}` : String(value);
}

function bitNames(value: number, constants: Table): string {
  const names: string[] = [];
  let rest = value;
  for (const [name, bit] of constants) {
    if ((rest & bit) !== bit || rest === 0) continue;
    names.push(name);
    rest &= ~bit;
  }
  if (rest !== 0 || names.length === 0) {
    const zero = constants.find(([, constant]) => constant === value);
    names.push(zero?.[0] ?? (rest === 0 ? "0" : `0x${(rest >>> 0).toString(16)}`));
  }
  return names.join("|");
}
