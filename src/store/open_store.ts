/** Makes a data root what {@link layout.ts} says, and refuses one of another version. */
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { BunkerError } from "../errors.ts";
import { writeFileAtomic } from "../fs/atomic.ts";
import { DIRECTORIES, LAYOUT_VERSION } from "./layout.ts";

/** The store cannot be used or changed. */
export class StoreError extends BunkerError {
  readonly code = "STORE";
}

/**
 * Creates what is missing of the data root.
 * @throws {StoreError} when another version of bunker made it, or it may not be made
 * @throws node:fs errors: ENOSPC, EROFS
 */
export function openStore(root: string): void {
  const version = readVersion(root);
  if (version === String(LAYOUT_VERSION)) return;
  if (version !== undefined) {
    throw new StoreError(`Cannot use data root "${root}": its layout has version "${version}"`, {
      hint: `Use another one with --root, or a bunker that knows version ${version}`,
    });
  }
  makeRoot(root);
  for (const [name, mode] of DIRECTORIES) {
    mkdirSync(`${root}/${name}`, { recursive: true });
    // Whatever the umask, and without a set-group-id bit inherited from above.
    chmodSync(`${root}/${name}`, mode);
  }
  try {
    writeFileAtomic(`${root}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    // Last: a root that was begun and not finished is begun again.
    writeFileAtomic(`${root}/version`, `${LAYOUT_VERSION}\n`);
  } catch (error) {
    // Another process was faster, and has taken the file for one that a kill left.
    const isThere = (error as NodeJS.ErrnoException).code === "ENOENT" && readVersion(root) !== undefined;
    if (!isThere) throw error;
  }
}

function makeRoot(root: string): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    chmodSync(root, 0o700);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") throw cause;
    throw new StoreError(`Cannot make data root "${root}": permission denied`, {
      cause,
      hint: "Use a directory of your own with --root, or BUNKER_ROOT",
    });
  }
}

function readVersion(root: string): string | undefined {
  try {
    return readFileSync(`${root}/version`, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
