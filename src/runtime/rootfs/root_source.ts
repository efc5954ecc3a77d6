/** Where a container's root comes from, and which steps decide whether another source is tried. */

/** Where the root comes from. Names of layers are relative to `directory`: short, and nothing of the host shows. */
export type RootSource =
  | {
      readonly kind: "overlay";
      /** Absolute; the new root is mounted over it, in the container's namespace only. */
      readonly directory: string;
      /** Top first. */
      readonly lower: readonly LowerLayer[];
      /** Directory that holds `upper` and `work`. */
      readonly scratch: string;
      /** Attributes of a layer unpacked without root: mount option `userxattr`. */
      readonly userxattr: boolean;
      /** Image-supplied device nodes cannot be opened (where no device cgroup guards them). */
      readonly nodev: boolean;
      /** Kernel 6.7 and newer: one `lowerdir+` for each layer instead of one string of 255 bytes for all. */
      readonly appendLayers: boolean;
      /**
       * The file system may refuse the writable layer, which then lies on a tmpfs that nobody else could find: the program
       * hands it to the engine.
       */
      readonly tellsUpper: boolean;
    }
  | {
      readonly kind: "directory";
      /** Absolute path of a root that is this container's alone. */
      readonly directory: string;
      /** False where mount(2) is refused: the root is entered by chroot alone. */
      readonly mounts: boolean;
    };

/** A layer below the writable one. */
export interface LowerLayer {
  /** Relative to the data root. */
  readonly path: string;
  /** True for a file: an EROFS image, mounted for the overlay; needs {@link Overlay.appendLayers}. */
  readonly isImage: boolean;
}

/** The overlay among the sources. */
export type Overlay = Extract<RootSource, { kind: "overlay" }>;

/** Names of the sections that decide whether another kind of root is tried; see engine/attempts.ts. */
export const SECTION_PROPAGATION = "detach the mounts from the host's";
export const SECTION_OVERLAY = "mount the image's layers";
