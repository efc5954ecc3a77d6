/**
 * A container's own layer where the file system of the data takes none: it lies on a tmpfs that is mounted in the
 * container's namespace alone, and below its root, so that no path leads there. The engine has a descriptor of it as long
 * as the container lives, and says in a file of the container's directory which one. Whoever reads the layer takes it
 * from the engine, and nothing from the container.
 */
import { AT_FDCWD, O_DIRECTORY, O_PATH } from "../linux/abi/fcntl.ts";
import { STATFS_SIZE } from "../linux/abi/magic.ts";
import { call, callRaw, cstr } from "../linux/call.ts";
import { Fd, tryOpenat, tryStatx } from "../linux/file.ts";
import { exists, readSmallText, writeSmallFile } from "../linux/small_file.ts";

/** File in the container's directory: the engine's process id, the descriptor's number, and what it stands for. */
const UPPER_FILE = "upper";

/** f_type of ext4, XFS, Btrfs, tmpfs, F2FS, bcachefs and ZFS: statfs(2). Another one costs a message, no more. */
const TAKEN: readonly number[] = [
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0xca451a4e, 0x2fc12fc1,
];

/** True for a directory on a file system that overlayfs may take no upper directory from: itself, virtiofs, 9p, NFS. */
export function mayRefuseUpper(directory: number): boolean {
  const statfs = new Uint8Array(new ArrayBuffer(STATFS_SIZE));
  if (callRaw("fstatfs", directory, statfs) < 0) return true;
  return !TAKEN.includes(new DataView(statfs.buffer).getUint32(0, true));
}

/**
 * Lets others find the layer until the result is disposed of.
 * @param directory absolute path of the container's
 * @param fd owned from then on
 */
export function keepUpperInMemory(directory: string, fd: number): Disposable {
  const path = `${directory}/${UPPER_FILE}`;
  try {
    writeSmallFile(path, `${process.pid} ${fd} ${identityOf(fd)}`, 0o600);
  } catch {
    // A full disk is no reason not to run: nobody finds the layer then, and is told so.
    callRaw("unlinkat", AT_FDCWD, cstr(path), 0);
  }
  return {
    [Symbol.dispose]: () => {
      callRaw("unlinkat", AT_FDCWD, cstr(path), 0);
      call("close", fd);
    },
  };
}

/** True for a container whose engine keeps its layer. @param directory absolute path of the container's */
export const isUpperInMemory = (directory: string): boolean => exists(`${directory}/${UPPER_FILE}`);

/**
 * Opens the layer with O_PATH.
 * @param directory absolute path of the container's
 * @returns undefined where the engine's descriptors cannot be reached: another user's, or another PID namespace's
 */
export function findUpperInMemory(directory: string): Fd | undefined {
  const [pid, number, identity] = readSmallText(`${directory}/${UPPER_FILE}`)?.split(" ") ?? [];
  const path = `/proc/${Number(pid)}/fd/${Number(number)}`;
  const fd = tryOpenat(AT_FDCWD, path, { flags: O_PATH | O_DIRECTORY });
  if (fd < 0) return undefined;
  using opened = new DisposableStack();
  const upper = opened.use(new Fd(fd));
  // In another PID namespace the number may be anybody's.
  if (identityOf(fd) !== identity) return undefined;
  opened.move();
  return upper;
}

/** A layer for a second bunker; the descriptor is open until this is disposed of. */
export interface GivenUpper extends Disposable {
  /** Descriptors for it to inherit: none where the layer is on the disk. */
  readonly inherit: readonly number[];
  /** For its task. */
  readonly upper: { readonly upper?: number };
}

/**
 * Opens the layer for a second bunker: root of a user namespace may look into no process outside of it.
 * @param directory absolute path of the container's
 * @param number of the descriptor over there
 */
export function giveUpper(directory: string, number: number): GivenUpper {
  const found = findUpperInMemory(directory);
  return {
    inherit: found === undefined ? [] : [found.number],
    upper: found === undefined ? {} : { upper: number },
    [Symbol.dispose]: () => found?.[Symbol.dispose](),
  };
}

function identityOf(fd: number): string | undefined {
  const stat = tryStatx(fd, "");
  return typeof stat === "number" ? undefined : stat.identity;
}
