/** How a layer is unpacked, decided once for a whole pull: nothing here is probed again. */
import type { Owner } from "../../linux/file.ts";

/** What the file system and the user namespace let a layer keep. */
export interface UnpackOptions {
  /** `erofs`: one file that the kernel mounts, for root where the kernel can; its whiteouts are `trusted`. */
  readonly form: "directory" | "erofs";
  /**
   * How "not in the layers below" is written: `trusted` and `user` as overlayfs reads it with root's or a user
   * namespace's attributes; `files` keeps the archive's own `.wh.` files, for file systems that take neither.
   */
  readonly whiteouts: "trusted" | "user" | "files";
  /** `single`: only one id is mapped, so every file is its and the difference is counted. */
  readonly owners: "exact" | "single";
  /** `skip` where device nodes cannot be made (user namespaces); counted. */
  readonly devices: "create" | "skip";
  /** Owner that new files get without chown(2). */
  readonly creator: Owner;
  /** The process's umask. */
  readonly umask: number;
}
