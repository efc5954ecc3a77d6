/**
 * Where a mount of config.json goes. The engine has followed the links of the image, so a path has none; only below
 * an earlier mount it may, but for /proc and /sys, and nothing is reached in a procfs that way: there a mount could
 * redirect what is written to /proc/self/attr later (CVE-2019-16884, CVE-2025-52881).
 */

import { ELOOP } from "../../linux/abi/errno.ts";
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  OPEN_HOW_SIZE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
} from "../../linux/abi/fcntl.ts";
import { PROC_SUPER_MAGIC, STATFS_SIZE } from "../../linux/abi/magic.ts";
import { MOVE_MOUNT_F_EMPTY_PATH } from "../../linux/abi/mount.ts";
import { openHow } from "../../linux/open_how.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import { attach } from "./mounts.ts";
import { relative } from "./paths.ts";
import { ensureDirectory, ensureFile, openFollowed } from "./target.ts";

const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
const real = {
  directory: openHow(O_PATH | O_DIRECTORY, IN_ROOT | RESOLVE_NO_SYMLINKS),
  file: openHow(O_PATH, IN_ROOT | RESOLVE_NO_SYMLINKS),
};
const followed = { directory: openHow(O_PATH | O_DIRECTORY, IN_ROOT), file: openHow(O_PATH, IN_ROOT) };
const itself = openHow(O_PATH | O_NOFOLLOW, IN_ROOT | RESOLVE_NO_SYMLINKS);

/** The path of a mount in the container, and what has to be there. */
export interface Place {
  /** Absolute and without `.`, `..` and double slashes. */
  readonly path: string;
  readonly kind: "directory" | "file";
  /** The last name is not followed where it is a symbolic link: crun's `dest-nofollow`. */
  readonly nofollow?: boolean;
}

/** What has been mounted at a path so far. */
export interface Mounted {
  readonly mount: Variable;
  /** `tmpfs` stands for a new one that holds only what was made in it since. */
  readonly type: string;
}

/** A root that is being assembled. */
export interface Assembly {
  readonly root: Variable;
  /** By path: the last mount there. */
  readonly mounted: Map<string, Mounted>;
}

/** Attaches a detached mount to its place, which is made where it is missing. */
export function planAttach(
  program: Program,
  { mount, type }: Mounted,
  { assembly, place }: { readonly assembly: Assembly; readonly place: Place },
): void {
  const { directory, name } = split(place.path);
  const parent = assembly.mounted.get(directory);
  if (parent?.type === "tmpfs") {
    // Nobody but this program has made anything in there.
    makeIn(program, parent.mount, { name, kind: place.kind });
    program.move_mount(mount, "", parent.mount, name, MOVE_MOUNT_F_EMPTY_PATH);
  } else {
    attach(program, mount, openPlace(program, assembly, place));
  }
  remember(assembly, place.path, { mount, type });
}

/** Notes what is at a path from now on, and forgets what it hides. */
export function remember({ mounted }: Assembly, path: string, mount: Mounted): void {
  for (const known of [...mounted.keys()]) if (known.startsWith(`${path}/`)) mounted.delete(known);
  mounted.set(path, mount);
}

function makeIn(
  program: Program,
  directory: Variable,
  { name, kind }: { readonly name: string; readonly kind: Place["kind"] },
): void {
  // EEXIST when a second mount goes there; anything else shows in the next step.
  if (kind === "directory") program.mkdirat(directory, name, 0o755).ignoreErrors();
  else program.mknodat(directory, name, S_IFREG | 0o644, 0).ignoreErrors();
}

/** Opens the place of a mount, and makes it where it is missing. @returns the variable that holds its descriptor. */
export function openPlace(program: Program, assembly: Assembly, place: Place): Variable {
  const { root } = assembly;
  const path = relative(place.path);
  if (place.nofollow === true) return ensureItself(program, root, place);
  const cover = coverOf(assembly, place.path);
  // Nothing can be made in there, and there are no links that a mount may follow.
  if (cover === "proc" || cover === "sysfs")
    return program.openat2(root, path, real[place.kind], OPEN_HOW_SIZE).result;
  // Links of the image have been followed by the engine already (resolve_links.ts).
  return cover === undefined ? ensureReal(program, root, place) : ensureCovered(program, root, place);
}

/** The last name is taken as it is: what is mounted on a link hides the link. */
function ensureItself(program: Program, root: Variable, place: Place): Variable {
  const found = program.variable("place");
  const done = program.label();
  program
    .openat2(root, relative(place.path), itself, OPEN_HOW_SIZE)
    .into(found)
    .ignoreErrors()
    .onSuccess(done);
  program.add(ensureReal(program, root, place), 0).into(found);
  program.place(done);
  return found;
}

/** Type of the filesystem that has been mounted over the nearest directory above `path`. */
function coverOf({ mounted }: Assembly, path: string): string | undefined {
  let { directory } = split(path);
  for (; directory !== "/"; directory = split(directory).directory) {
    const found = mounted.get(directory);
    if (found !== undefined) return found.type;
  }
  return undefined;
}

/** Opens a path without links, and makes what is missing of it. */
function ensureReal(program: Program, root: Variable, { path, kind }: Place): Variable {
  const found = program.variable("place");
  const done = program.label();
  program.openat2(root, relative(path), real[kind], OPEN_HOW_SIZE).into(found).ignoreErrors().onSuccess(done);
  const names = relative(path).split("/");
  const name = names.pop() ?? "";
  let parent = root;
  for (const [depth, above] of names.entries()) {
    makeIn(program, parent, { name: above, kind: "directory" });
    const prefix = names.slice(0, depth + 1).join("/");
    parent = program.openat2(root, prefix, real.directory, OPEN_HOW_SIZE).result;
  }
  makeIn(program, parent, { name, kind });
  program.openat2(root, relative(path), real[kind], OPEN_HOW_SIZE).into(found);
  program.place(done);
  return found;
}

/**
 * In another mount than the image's: without links at once, with links unless they lead into a procfs. What is looked at
 * is what was opened, found or made: another container may exchange the links between any two steps (CVE-2025-52881).
 */
function ensureCovered(program: Program, root: Variable, { path, kind }: Place): Variable {
  const found = program.variable("place");
  const done = program.label();
  const open = program.label();
  const missing = program.label();
  const at = relative(path);
  program.openat2(root, at, real[kind], OPEN_HOW_SIZE).into(found).ignoreErrors().onSuccess(done);
  openFollowed(program, { root, found }, { path, how: followed[kind], done: open, failed: missing });
  program.place(missing);
  const made = kind === "file" ? ensureFile(program, root, path) : ensureDirectory(program, root, path);
  program.add(made, 0).into(found);
  program.place(open);
  const statfs = program.room(STATFS_SIZE);
  program.step("fstatfs", found, statfs);
  program.field(statfs, 0, -1, PROC_SUPER_MAGIC).onPositive(done);
  // It is a procfs: fails with ELOOP, which is what is wrong with it, and fails too if the link is gone again.
  program.openat2(root, at, real[kind], OPEN_HOW_SIZE);
  program.add(0, -ELOOP);
  program.place(done);
  return found;
}

/** Directory and name of an absolute path. */
export function split(path: string): { readonly directory: string; readonly name: string } {
  const at = path.lastIndexOf("/");
  return { directory: path.slice(0, at) || "/", name: path.slice(at + 1) };
}
