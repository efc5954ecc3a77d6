/** What the engine finds out about one mount of config.json, and opens for it. */

import { UsageError } from "../../errors.ts";
import { ELOOP, ENOENT, errnoName } from "../../linux/abi/errno.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFDIR,
  S_IFMT,
} from "../../linux/abi/fcntl.ts";
import { S_IFLNK } from "../../linux/abi/file.ts";
import { PROC_SUPER_MAGIC, STATFS_SIZE } from "../../linux/abi/magic.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { tryOpenat2, tryReadlinkat } from "../../linux/file.ts";
import { STAT_SIZE, statMode } from "../../linux/stat.ts";
import type { Mount } from "../../oci/bundle/config.ts";
import { isBindMount } from "../../oci/bundle/mounts.ts";
import type { PreparedMount } from "./bundle_host.ts";
import { openDetached } from "./detached.ts";
import { absoluteSource, cleanPath, isReal, isRecursive, relative } from "./paths.ts";

import type { Preparation } from "./prepare_root.ts";
import { resolveLinks } from "./resolve_links.ts";

const stat = new Uint8Array(new ArrayBuffer(STAT_SIZE));
const real = {
  flags: O_PATH | O_CLOEXEC,
  resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
};

/**
 * Looks at source and destination.
 * @param hidden destinations of the mounts before this one, which is added
 * @throws {UsageError} when the source does not exist or its ids cannot be mapped.
 */
export async function prepareMount(
  mount: Mount,
  preparation: Preparation,
  hidden: string[],
): Promise<PreparedMount | undefined> {
  const destination = cleanPath(mount.destination);
  const covered = hidden.some((path) => destination === path || destination.startsWith(`${path}/`));
  hidden.push(destination);
  const found =
    covered || isReal(destination) ? undefined : lookAtPlace(mount, destination, preparation.rootFd);
  if (isBindMount(mount)) return { ...found, ...(await prepareBind(mount, preparation)) };
  if (mount.options?.includes("tmpcopyup") !== true || mount.type !== "tmpfs" || covered) return found;
  const { openCopiedTmpfs } = await import("./copied_tmpfs.ts");
  const copied = openCopiedTmpfs(mount, {
    rootFd: preparation.rootFd,
    path: found?.destination ?? destination,
  });
  return copied === undefined ? found : { ...found, fd: preparation.keep(copied) };
}

/** What the image has where the mount goes. */
function lookAtPlace({ type, options = [] }: Mount, path: string, rootFd: number): PreparedMount | undefined {
  const needsMode = type === "tmpfs" && !options.some((option) => /(^|,)mode=/.test(option));
  const fixed = isReal(path) || options.includes("dest-nofollow");
  if (fixed && !needsMode) return undefined;
  let destination = path;
  let fd = tryOpenat2(rootFd, relative(path), real);
  if ((fd === -ELOOP || fd === -ENOENT) && !fixed) {
    destination = resolveLinks(rootFd, path);
    if (destination !== path) fd = tryOpenat2(rootFd, relative(destination), real);
  }
  const moved = destination === path ? {} : { destination };
  if (fd < 0) return moved;
  call("fstat", fd, stat);
  call("close", fd);
  return needsMode ? { ...moved, mode: (statMode(stat) & 0o7777).toString(8) } : moved;
}

async function prepareBind(mount: Mount, preparation: Preparation): Promise<PreparedMount> {
  const { config, request, keep } = preparation;
  const { options = [] } = mount;
  const path = absoluteSource(request.bundle, mount.source ?? "");
  const source = lookAtSource(mount, path);
  if (source.link !== undefined) return source;
  const mapped = options.includes("idmap") || options.includes("ridmap") || mount.uidMappings !== undefined;
  if (!mapped && !request.userNamespace) return source;
  const nofollow = options.includes("src-nofollow");
  const fd = openDetached(path, { recursive: isRecursive(mount), nofollow });
  if (!mapped) return fd === undefined ? source : { ...source, fd: keep(fd) };
  if (fd === undefined)
    throw new UsageError(`Cannot map ids of "${path}": it takes CAP_SYS_ADMIN on the host`);
  const { mapMount } = await import("./id_mapped.ts");
  const number = keep(fd);
  mapMount(fd, { mount, linux: config.linux ?? {}, request });
  return { ...source, fd: number };
}

/** Opened without rights: only to see what it is. */
function lookAtSource({ options = [], destination }: Mount, path: string): PreparedMount {
  const copied = options.includes("copy-symlink");
  const nofollow = copied || options.includes("src-nofollow") ? O_NOFOLLOW : 0;
  const fd = callRaw("openat", AT_FDCWD, cstr(path), O_PATH | O_CLOEXEC | nofollow);
  if (fd < 0) throw sourceError(path, destination, -fd);
  try {
    call("fstat", fd, stat);
    const type = statMode(stat) & S_IFMT;
    if (copied && type === S_IFLNK) return { link: linkOf(fd) };
    const procfs = cleanPath(destination) === "/proc" && isProcRoot(fd);
    return { sourceIsDirectory: type === S_IFDIR, ...(procfs ? { procfs } : {}) };
  } finally {
    call("close", fd);
  }
}

function sourceError(path: string, destination: string, errno: number): UsageError {
  const reason =
    errno === ENOENT ? "the source does not exist" : `the source cannot be opened (${errnoName(errno)})`;
  return new UsageError(`Cannot mount "${path}" on "${destination}": ${reason}`);
}

function linkOf(fd: number): string {
  const target = tryReadlinkat(fd, "");
  return typeof target === "number" ? "" : target.toString();
}

/** The root of a procfs has inode number 1 (fs/proc/root.c). */
function isProcRoot(fd: number): boolean {
  const statfs = new Uint8Array(new ArrayBuffer(STATFS_SIZE));
  call("fstatfs", fd, statfs);
  const inode = new DataView(stat.buffer).getUint32(8, true);
  return new DataView(statfs.buffer).getUint32(0, true) === PROC_SUPER_MAGIC && inode === 1;
}
