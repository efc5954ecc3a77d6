/**
 * The mounts of config.json, in their order. Each is made detached, gets its attributes, and is then attached to a
 * descriptor of its target: no moment shows it with wrong attributes or in a wrong place.
 */
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from "../../linux/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  MOUNT_ATTR_SIZE,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_PRIVATE,
  OPEN_TREE_CLONE,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Label, Step, Variable } from "../../linux/step.ts";
import type { Mount } from "../spec/config.ts";
import { type MountOptions, parseMountOptions } from "./mount_options.ts";
import { ensureDirectory, ensureFile, openRealDirectory } from "./target.ts";

/** Attaches the detached mount `mount` to the place that `target` is a descriptor of. */
export const attach = (program: Program, mount: Variable, target: Variable) =>
  program.move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

/** A new filesystem that is not attached anywhere yet. */
export const planFilesystem = (
  program: Program,
  mount: Omit<Mount, "destination">,
  refused?: Label,
): Variable => planDetached(program, { ...mount, options: parseMountOptions(mount.options) }, refused);

/** A filesystem by its type, what it is made of, and parsed options. */
export interface NewFilesystem {
  readonly type: string;
  readonly source: string;
  readonly options: MountOptions;
}

/** The same, with options that are parsed. */
export function planDetached(
  program: Program,
  { type, source, options }: NewFilesystem,
  refused?: Label,
): Variable {
  const orRefused = (step: Step): Step => (refused === undefined ? step : step.onError(refused));
  const fs = orRefused(program.fsopen(type, 0)).result;
  // What df and /proc/mounts call it; without a source that is "none".
  const named = program.fsconfig(fs, FSCONFIG_SET_STRING, "source", source);
  // A disk must be there; of the others not every one wants a name.
  if (source.startsWith("/")) orRefused(named);
  else named.ignoreErrors();
  for (const flag of options.superblock) orRefused(program.fsconfig(fs, FSCONFIG_SET_FLAG, flag));
  for (const [key, value] of options.data) {
    const step =
      value === undefined
        ? program.fsconfig(fs, FSCONFIG_SET_FLAG, key)
        : program.fsconfig(fs, FSCONFIG_SET_STRING, key, value);
    orRefused(step);
  }
  orRefused(program.fsconfig(fs, FSCONFIG_CMD_CREATE));
  return orRefused(program.fsmount(fs, 0, options.attributes)).result;
}

/** Opens the host's side of bind mounts while host paths still mean the host: before the root is mounted. */
export function planBindSources(program: Program, mounts: readonly Mount[]): Map<Mount, Variable> {
  const sources = new Map<Mount, Variable>();
  for (const mount of mounts) {
    if (mount.type !== "bind") continue;
    const recursive = mount.options.includes("rbind") ? AT_RECURSIVE : 0;
    program.section(`open "${mount.source}", which is to be mounted on "${mount.destination}"`);
    sources.set(mount, program.open_tree(AT_FDCWD, mount.source, OPEN_TREE_CLONE | recursive).result);
  }
  return sources;
}

/** A bind mount: attributes on the detached copy of the tree, then attached. */
export function planBind(
  program: Program,
  mount: Mount,
  { root, source }: { readonly root: Variable; readonly source: Variable },
): void {
  program.section(`mount "${mount.source}" on "${mount.destination}"`);
  const { attributes, propagation } = parseMountOptions(mount.options);
  const { type, recursive } = propagation ?? { type: MS_PRIVATE, recursive: true };
  setAttributes(program, source, { attributes: 0, propagation: type, recursive });
  // Read-only goes for the whole tree: a writable mount below a read-only one would be a surprise.
  if (attributes !== 0) setAttributes(program, source, { attributes, propagation: 0, recursive: true });
  const target =
    mount.sourceIsDirectory === false
      ? ensureFile(program, root, mount.destination)
      : ensureDirectory(program, root, mount.destination);
  attach(program, source, target);
}

/** mount_setattr(2) on a descriptor of a mount. */
export function setAttributes(
  program: Program,
  mount: Variable,
  change: {
    readonly attributes: number;
    readonly cleared?: number;
    readonly propagation: number;
    readonly recursive: boolean;
  },
): void {
  const flags = AT_EMPTY_PATH | (change.recursive ? AT_RECURSIVE : 0);
  const attr = program.words(change.attributes, change.cleared ?? 0, change.propagation, 0);
  program.mount_setattr(mount, "", flags, attr, MOUNT_ATTR_SIZE);
}

/** A filesystem that the user asked for: it must succeed. */
export function planRequested(program: Program, mount: Mount, root: Variable): void {
  program.section(`mount ${mount.type} on "${mount.destination}"`);
  const filesystem = planFilesystem(program, mount);
  attach(program, filesystem, ensureDirectory(program, root, mount.destination));
}

/**
 * A kernel filesystem of the default set (/proc, /sys …). The target must be a real directory: through a symbolic
 * link of the image the masks would land elsewhere (CVE-2019-16884, CVE-2023-27561). Where the kernel refuses the
 * filesystem to this user, `fallback` steps take its place, or the container goes without.
 */
export function planDefault(
  program: Program,
  mount: Mount,
  { root, fallback }: { readonly root: Variable; readonly fallback?: (target: Variable) => void },
): void {
  program.section(`mount ${mount.type} on "${mount.destination}"`);
  const target = openRealDirectory(program, root, mount.destination).result;
  const refused = program.label();
  const done = program.label();
  const filesystem = planFilesystem(program, mount, refused);
  attach(program, filesystem, target).onSuccess(done);
  program.place(refused);
  fallback?.(target);
  program.place(done);
}
