/**
 * Where a mount of config.json goes. The common case is one step: a path without symbolic links. Links of the image
 * are followed inside the root, but for /proc, /sys and /dev, and nothing is reached in a procfs that way: there a
 * mount could redirect what is written to /proc/self/attr later (CVE-2019-16884, CVE-2025-52881).
 */
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
import { ensureDirectory, ensureFile, relative } from "./target.ts";

const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
const real = {
  directory: openHow(O_PATH | O_DIRECTORY, IN_ROOT | RESOLVE_NO_SYMLINKS),
  file: openHow(O_PATH, IN_ROOT | RESOLVE_NO_SYMLINKS),
};
const followed = { directory: openHow(O_PATH | O_DIRECTORY, IN_ROOT), file: openHow(O_PATH, IN_ROOT) };
const itself = openHow(O_PATH | O_NOFOLLOW, IN_ROOT);

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
  if (place.nofollow === true) return program.openat2(root, path, itself, OPEN_HOW_SIZE).result;
  const cover = coverOf(assembly, place.path);
  // Nothing can be made in there, and there are no links that a mount may follow.
  if (cover === "proc" || cover === "sysfs")
    return program.openat2(root, path, real[place.kind], OPEN_HOW_SIZE).result;
  if (isReal(place.path)) return ensureReal(program, root, place);
  return ensurePlace(program, root, place);
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

/** Paths that must not be reached through a link of the image, whatever is mounted there. */
export const isReal = (path: string): boolean => path === "/dev" || /^\/(proc|sys)(\/|$)/.test(path);

/** Opens a directory of the root that must be real, and makes it with its parents where it is missing. */
function ensureReal(program: Program, root: Variable, { path, kind }: Place): Variable {
  const found = program.variable("place");
  const done = program.label();
  const how = real[kind];
  program.openat2(root, relative(path), how, OPEN_HOW_SIZE).into(found).ignoreErrors().onSuccess(done);
  const names = relative(path).split("/");
  let parent = root;
  for (const [depth, name] of names.entries()) {
    program.mkdirat(parent, name, 0o755).ignoreErrors();
    const prefix = names.slice(0, depth + 1).join("/");
    const opened = program.openat2(
      root,
      prefix,
      depth + 1 === names.length ? how : real.directory,
      OPEN_HOW_SIZE,
    );
    parent = depth + 1 === names.length ? opened.into(found).result : opened.result;
  }
  program.place(done);
  return found;
}

/** The general case: without links at once, with links unless they lead into a procfs, missing directories made. */
function ensurePlace(program: Program, root: Variable, { path, kind }: Place): Variable {
  const found = program.variable("place");
  const done = program.label();
  const missing = program.label();
  const at = relative(path);
  program.openat2(root, at, real[kind], OPEN_HOW_SIZE).into(found).ignoreErrors().onSuccess(done);
  program.openat2(root, at, followed[kind], OPEN_HOW_SIZE).into(found).onError(missing);
  const statfs = program.room(STATFS_SIZE);
  program.step("fstatfs", found, statfs);
  program.field(statfs, 0, -1, PROC_SUPER_MAGIC).onPositive(done);
  // It is a procfs: fails with ELOOP, which is what is wrong with it.
  program.openat2(root, at, real[kind], OPEN_HOW_SIZE);
  program.place(missing);
  const made = kind === "file" ? ensureFile(program, root, path) : ensureDirectory(program, root, path);
  program.add(made, 0).into(found);
  program.place(done);
  return found;
}

/** Directory and name of an absolute path. */
export function split(path: string): { readonly directory: string; readonly name: string } {
  const at = path.lastIndexOf("/");
  return { directory: path.slice(0, at) || "/", name: path.slice(at + 1) };
}

/** An absolute path without `.`, `..` and double slashes; relative ones begin at "/" (config.md#mounts). */
export function cleanPath(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}
