/**
 * Option `tmpcopyup`: a tmpfs that begins with what the image has at its place. The engine makes and fills it, before
 * the container is there; the program only attaches it.
 */

import { copyTreeInto } from "../../fs/copy_tree.ts";
import {
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../../linux/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
} from "../../linux/abi/mount.ts";
import { call, cstr } from "../../linux/call.ts";
import { tryOpenat2 } from "../../linux/file.ts";
import type { Mount } from "../../oci/bundle/config.ts";
import { parseMountOptions } from "./mount_options.ts";
import { relative } from "./paths.ts";

const directory = {
  flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC,
  resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
};

/** A detached tmpfs with a copy of the directory; undefined when the image has none there. */
export function openCopiedTmpfs(
  mount: Mount,
  { rootFd, path }: { readonly rootFd: number; readonly path: string },
): number | undefined {
  const source = tryOpenat2(rootFd, relative(path), directory);
  if (source < 0) return undefined;
  let tmpfs: number | undefined;
  try {
    tmpfs = makeTmpfs(mount);
    const { data } = parseMountOptions(mount.options);
    copyTreeInto(source, tmpfs, { keepMode: data.some(([key]) => key === "mode") });
    return tmpfs;
  } catch (error) {
    if (tmpfs !== undefined) call("close", tmpfs);
    throw error;
  } finally {
    call("close", source);
  }
}

/** fsopen(2) to fsmount(2). Its attributes come later: nothing is attached that could be used. */
function makeTmpfs({ source = "tmpfs", options }: Mount): number {
  const fs = call("fsopen", cstr("tmpfs"), FSOPEN_CLOEXEC);
  const configure = (command: number, key: string | null, value: string | null) =>
    call("fsconfig", fs, command, key === null ? null : cstr(key), value === null ? null : cstr(value), 0);
  try {
    configure(FSCONFIG_SET_STRING, "source", source);
    for (const [key, value] of parseMountOptions(options).data)
      configure(value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key, value ?? null);
    configure(FSCONFIG_CMD_CREATE, null, null);
    return call("fsmount", fs, FSMOUNT_CLOEXEC, 0);
  } finally {
    call("close", fs);
  }
}
