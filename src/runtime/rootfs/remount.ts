/** Options `remount` and `copy-symlink`: changes of what is there, rather than a mount. */
import {
  FSCONFIG_CMD_RECONFIGURE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSPICK_EMPTY_PATH,
  MOUNT_ATTR_RDONLY,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import type { BundleMount } from "./bundle_mounts.ts";
import { setAttributes } from "./mounts.ts";
import { type Assembly, openPlace, split } from "./place.ts";

/**
 * Changes the mount at `target`: its attributes alone where it is said to be a bind mount (mount(2), MS_REMOUNT with
 * MS_BIND), the superblock too otherwise.
 */
export function planRemount(program: Program, { type, options }: BundleMount, target: Variable): void {
  const { attributes, cleared, superblock, data } = options;
  if (type !== "bind" && (superblock.length > 0 || data.length > 0)) {
    const fs = program.fspick(target, "", FSPICK_EMPTY_PATH).result;
    const readonly = (attributes & MOUNT_ATTR_RDONLY) !== 0 ? ["ro"] : [];
    for (const flag of [...readonly, ...superblock]) program.fsconfig(fs, FSCONFIG_SET_FLAG, flag);
    for (const [key, value] of data) {
      if (value === undefined) program.fsconfig(fs, FSCONFIG_SET_FLAG, key);
      else program.fsconfig(fs, FSCONFIG_SET_STRING, key, value);
    }
    program.fsconfig(fs, FSCONFIG_CMD_RECONFIGURE);
  }
  const propagation = options.propagation?.type ?? 0;
  setAttributes(program, target, { attributes, cleared, propagation, recursive: false });
  if (options.recursive === undefined) return;
  const { set, clear } = options.recursive;
  setAttributes(program, target, { attributes: set, cleared: clear, propagation: 0, recursive: true });
}

/** Makes the link that the source is, where nothing is in its place yet (crun's `copy-symlink`). */
export function planSymlink(
  program: Program,
  { destination, prepared }: BundleMount,
  assembly: Assembly,
): void {
  const { directory, name } = split(destination);
  const parent =
    directory === "/" ? assembly.root : openPlace(program, assembly, { path: directory, kind: "directory" });
  program.symlinkat(prepared.link ?? "", parent, name);
}
