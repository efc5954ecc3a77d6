/**
 * Finds, or makes, the place inside the root where something is mounted. Every path is resolved by openat2(2) with
 * the root as its root, so whatever symbolic links the image holds, nothing outside is reached (CVE-2021-30465), and
 * what is mounted afterwards is mounted on the descriptor, not on the path.
 */
import {
  O_CREAT,
  O_DIRECTORY,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  OPEN_HOW_SIZE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../linux/abi/fcntl.ts";
import { openHow } from "../../linux/open_how.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";

const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
const anything = openHow(O_PATH, IN_ROOT);
const directory = openHow(O_PATH | O_DIRECTORY, IN_ROOT);
const realDirectory = openHow(O_PATH | O_DIRECTORY, IN_ROOT | RESOLVE_NO_SYMLINKS);

/**
 * Not O_EXCL: a link of the image that leads nowhere yet, as /etc/resolv.conf often does, is followed inside the root.
 * O_NONBLOCK and O_NOCTTY, since on a shared volume something else may appear at the path meanwhile.
 */
const newFile = openHow(O_CREAT | O_NONBLOCK | O_NOCTTY, IN_ROOT, 0o644);

/** Path relative to the root, as openat2(2) wants it. */
export const relative = (path: string): string => path.replace(/^\/+/, "") || ".";

/** Opens what is at `path`, through the image's symbolic links. */
export const openTarget = (program: Program, root: Variable, path: string) =>
  program.openat2(root, relative(path), anything, OPEN_HOW_SIZE);

/** Opens a directory of the root that must not be reached through symbolic links: /proc, /sys, /dev. */
export const openRealDirectory = (program: Program, root: Variable, path: string) =>
  program.openat2(root, relative(path), realDirectory, OPEN_HOW_SIZE);

/**
 * Opens the directory at `path`, and makes it with its parents (mode 0755) where it is missing.
 * @returns the variable that holds its descriptor.
 */
export function ensureDirectory(program: Program, root: Variable, path: string): Variable {
  const found = program.variable("directory");
  const done = program.label();
  const missing = program.label();
  program
    .openat2(root, relative(path), directory, OPEN_HOW_SIZE)
    .into(found)
    .onError(missing)
    .onSuccess(done);
  program.place(missing);
  const names = relative(path).split("/");
  let parent = root;
  for (let depth = 1; depth <= names.length; depth++) {
    const last = depth === names.length;
    // EEXIST for what is there; anything else shows in the next step, which names the path.
    program.mkdirat(parent, names[depth - 1] as string, 0o755).ignoreErrors();
    const opened = last ? found : program.variable("directory");
    program.openat2(root, names.slice(0, depth).join("/"), directory, OPEN_HOW_SIZE).into(opened);
    parent = opened;
  }
  program.place(done);
  return found;
}

/** Opens the file at `path`, and makes it, empty (mode 0644), where it is missing. */
export function ensureFile(program: Program, root: Variable, path: string): Variable {
  const found = program.variable("file");
  const done = program.label();
  const missing = program.label();
  openTarget(program, root, path).into(found).onError(missing).onSuccess(done);
  program.place(missing);
  const at = relative(path).lastIndexOf("/");
  if (at > 0) ensureDirectory(program, root, relative(path).slice(0, at));
  program.close(program.openat2(root, relative(path), newFile, OPEN_HOW_SIZE).result);
  openTarget(program, root, path).into(found);
  program.place(done);
  return found;
}
