/**
 * Finds, or makes, the place inside the root where something is mounted. Every path is resolved by openat2(2) with
 * the root as its root, so whatever symbolic links the image holds, nothing outside is reached (CVE-2021-30465), and
 * what is mounted afterwards is mounted on the descriptor, not on the path.
 */

import { EAGAIN, ENOENT } from "../../linux/abi/errno.ts";
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
import type { Label, Variable } from "../../linux/step.ts";
import { relative } from "./paths.ts";

const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
const anything = openHow(O_PATH, IN_ROOT);
const directory = openHow(O_PATH | O_DIRECTORY, IN_ROOT);
const realDirectory = openHow(O_PATH | O_DIRECTORY, IN_ROOT | RESOLVE_NO_SYMLINKS);

/**
 * Not O_EXCL: a link of the image that leads nowhere yet, as /etc/resolv.conf often does, is followed inside the root.
 * O_NONBLOCK and O_NOCTTY, since on a shared volume something else may appear at the path meanwhile.
 */
const newFile = openHow(O_CREAT | O_NONBLOCK | O_NOCTTY, IN_ROOT, 0o644);

/** Opens what is at `path`, once. */
export const openTarget = (program: Program, root: Variable, path: string) =>
  program.openat2(root, relative(path), anything, OPEN_HOW_SIZE);

/**
 * Zero when the result of the step before is this error, positive otherwise; no error itself, so that the report names
 * that step. It has to be the first that uses the result: an error goes nowhere else.
 */
export const compareError = (program: Program, result: Variable, errno: number) =>
  program.field(program.words(result), 0, ERROR_MASK, -errno & ERROR_MASK);

const ERROR_MASK = 0xffff;
const NOT_AGAIN_BUT_ABSENT = (-ENOENT ^ -EAGAIN) & ERROR_MASK;

/** How often a path is looked up while others rename or mount: as often as libpathrs does. */
const TRIES_MAX = 128;

/** A path of the root that may lead through links of the image. */
export interface FollowedPath {
  readonly path: string;
  /** struct open_how [O_PATH] */
  readonly how?: Uint8Array;
  /** Where to go on when it is open [the next step]. */
  readonly done?: Label;
  /** Where to go on when nothing is there [failed]. */
  readonly missing?: Label;
  /** Where to go on when it cannot be opened for another reason [give up]. */
  readonly failed?: Label;
}

/**
 * Opens what is at the path into `found`. Links are followed inside the root; at a ".." in one the kernel answers
 * EAGAIN whenever anything was renamed or mounted on the machine meanwhile (openat2(2)).
 */
export function openFollowed(
  program: Program,
  { root, found }: { readonly root: Variable; readonly found: Variable },
  { path, how = anything, done, failed = program.giveUp, missing = failed }: FollowedPath,
): void {
  const tries = program.variable("tries");
  const again = program.label();
  const open = program.label();
  program.add(TRIES_MAX, 0).into(tries);
  program.place(again);
  const step = program.openat2(root, relative(path), how, OPEN_HOW_SIZE).into(found);
  step.ignoreErrors().onSuccess(done ?? open);
  const other = compareError(program, found, EAGAIN).onPositive(failed);
  if (missing !== failed) {
    const absent = program.label();
    const busy = program.label();
    other.onPositive(absent).onZero(busy);
    program.place(absent);
    // What is left of ENOENT after that comparison.
    program
      .field(program.words(other.result), 0, -1, NOT_AGAIN_BUT_ABSENT)
      .onZero(missing)
      .onPositive(failed);
    program.place(busy);
  }
  program.add(tries, 0, 1).into(tries).onPositive(again).onZero(failed);
  program.place(open);
}

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
  openFollowed(program, { root, found }, { path, how: directory, done, failed: missing });
  program.place(missing);
  const names = relative(path).split("/");
  let parent = root;
  for (let depth = 1; depth <= names.length; depth++) {
    const last = depth === names.length;
    // EEXIST for what is there; anything else shows in the next step, which names the path.
    program.mkdirat(parent, names[depth - 1] as string, 0o755).ignoreErrors();
    const opened = last ? found : program.variable("directory");
    openFollowed(program, { root, found: opened }, { path: names.slice(0, depth).join("/"), how: directory });
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
  openFollowed(program, { root, found }, { path, done, failed: missing });
  program.place(missing);
  const at = relative(path).lastIndexOf("/");
  if (at > 0) ensureDirectory(program, root, relative(path).slice(0, at));
  const made = program.variable("file");
  openFollowed(program, { root, found: made }, { path, how: newFile });
  program.close(made);
  openFollowed(program, { root, found }, { path });
  program.place(done);
  return found;
}
