/**
 * /etc/hosts, /etc/hostname and /etc/resolv.conf: files of the engine, mounted over the image's. They live in the
 * container's own /dev and lose their names there at once, so that no path of the host shows in the container and
 * nothing is written into the image's writable layer.
 */
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import { attach } from "./mounts.ts";
import { openFollowed } from "./target.ts";

/** A small file that the engine provides. */
export interface ProvidedFile {
  /** Absolute path in the container; where the image has nothing there, it is left out. */
  readonly path: string;
  readonly content: string;
}

/** Mounts the files; `dev` is a descriptor of the container's /dev. */
export function planFiles(
  program: Program,
  files: readonly ProvidedFile[],
  { root, dev }: { readonly root: Variable; readonly dev: Variable },
): void {
  for (const { path, content } of files) {
    const missing = program.label();
    const name = `.${path.slice(path.lastIndexOf("/") + 1)}`;
    program.section(`provide "${path}"`);
    const target = program.variable("target");
    openFollowed(program, { root, found: target }, { path, failed: missing });
    const file = program.openat(dev, name, O_CREAT | O_EXCL | O_WRONLY, 0o644).result;
    program.write(file, program.slot(path, content), Buffer.byteLength(content));
    program.close(file);
    attach(program, program.open_tree(dev, name, OPEN_TREE_CLONE).result, target);
    program.unlinkat(dev, name);
    program.place(missing);
  }
}

/** Writes the files into a root that is a plain directory of this container, in the place of what the image has. */
export function planCopiedFiles(program: Program, files: readonly ProvidedFile[], root: Variable): void {
  for (const { path, content } of files) {
    const skip = program.label();
    const at = path.lastIndexOf("/");
    const [directory, name] = [path.slice(0, at), path.slice(at + 1)];
    program.section(`provide "${path}"`);
    const parent = program.variable("parent");
    openFollowed(program, { root, found: parent }, { path: directory, failed: skip });
    // The image's own may be a device or a pipe, which are not to be opened.
    program.unlinkat(parent, name).ignoreErrors();
    const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
    const file = program.openat(parent, name, flags, 0o644).onError(skip).result;
    program.write(file, program.slot(path, content), Buffer.byteLength(content));
    program.close(file);
    program.place(skip);
  }
}
