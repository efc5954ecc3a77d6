/** What the functions of the library take besides an image: see api.ts. */
import type { EngineContext } from "./context.ts";

/** Where data lies; see {@link EngineContext}. */
export type LibraryContext = Partial<Pick<EngineContext, "root" | "state" | "config" | "debug">>;

/** What may be asked of work that takes a while. */
export interface Cancellable {
  /** Ends the work, which then throws the signal's reason: nothing has changed. */
  readonly signal?: AbortSignal | undefined;
}

/** What is pulled, and how. */
export interface PullOptions extends Cancellable {
  /** `os/arch[/variant]` [this machine's]. */
  readonly platform?: string;
  /** False: any certificate, or plain HTTP [true]. */
  readonly tlsVerify?: boolean;
}

/** What is pushed, and how. */
export interface PushOptions extends Cancellable {
  /** All tags of the repository that are here; the name has none then [false]. */
  readonly allTags?: boolean;
  /** Only the image for `os/arch[/variant]` [all of the index, where all are here, or this machine's]. */
  readonly platform?: string;
  /** False: any certificate, or plain HTTP [true]. */
  readonly tlsVerify?: boolean;
}

/**
 * A copy from one place to another: a registry's name, an OCI layout (`oci:DIRECTORY[:TAG]`), or an archive
 * (`oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME]`).
 */
export interface CopyImageRequest extends Cancellable {
  readonly from: string;
  readonly to: string;
  /** An index with everything beneath it, instead of the image for one platform [false]. */
  readonly all?: boolean;
  /** `os/arch[/variant]` [this machine's]. */
  readonly platform?: string;
  /** What refers to the image too: signatures, lists of parts [false]. */
  readonly referrers?: boolean;
  /** False: any certificate, or plain HTTP, at both ends [true]. */
  readonly tlsVerify?: boolean;
}

/** What becomes of an archive of files. */
export interface ImportImageOptions extends Cancellable {
  /** Name of the image; without one its id is its name. */
  readonly reference?: string;
  /** Instructions of a Dockerfile: CMD, ENV, … */
  readonly changes?: readonly string[];
  readonly message?: string;
  /** `os/arch[/variant]` [this machine's]. */
  readonly platform?: string;
}

/** What becomes of the files of a container. */
export interface CommitOptions extends Omit<ImportImageOptions, "platform"> {
  readonly author?: string;
  /** Stop the container's processes while its files are read [where that can be done]. */
  readonly pause?: boolean;
}
