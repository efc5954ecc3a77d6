/** What the engine tells about images and about itself, for tables and for JSON. */

/** How a pull ended: `downloaded` anything new, or the image was `up-to-date`. */
export interface PullResult {
  /** Complete reference, e.g. `docker.io/library/alpine:latest`. */
  readonly reference: string;
  /** `sha256:<64 hex>` of what the registry answered for the reference. */
  readonly digest: string;
  readonly status: "downloaded" | "up-to-date";
}

/** What a push has brought under one tag. */
export interface PushResult {
  /** Complete reference, e.g. `docker.io/library/alpine:latest`. */
  readonly reference: string;
  /** Its tag, or its digest. */
  readonly tag: string;
  /** `sha256:<64 hex>` of the manifest. */
  readonly digest: string;
  /** Bytes of the manifest. */
  readonly sizeBytes: number;
}

/** What a copy has brought: `unchanged`, the target's name has meant it before. */
export type CopyResult = {
  /** Complete name, e.g. `docker.io/library/alpine:latest`, `oci:/srv/images:alpine`. */
  readonly source: string;
  readonly target: string;
  /** `sha256:<64 hex>` of the manifest or index that the target's name means. */
  readonly digest: string;
} & (
  | { readonly status: "copied" /** Bytes of that document. */; readonly sizeBytes: number }
  | { readonly status: "unchanged" }
);

/** One name of one local image. */
export interface ImageSummary {
  /** `sha256:<64 hex>` of the image's configuration. */
  readonly id: string;
  /** As docker shows it: without `docker.io/library/`. */
  readonly repository: string;
  /** Undefined when the image was pulled by digest, or its tag was given to another. */
  readonly tag: string | undefined;
  /** The tag that it had was given to another image, and it has no other name: what `image prune` removes. */
  readonly dangling: boolean;
  readonly digest: string | undefined;
  /** When the image was built; undefined when its configuration does not say. */
  readonly created: Date | undefined;
  /** Bytes of the unpacked layers. */
  readonly sizeBytes: number;
  /** `os/arch[/variant]`. */
  readonly platform: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One thing that `info` shows: a name, a value, and why it is not better. */
export interface InfoEntry {
  readonly name: string;
  readonly value: string | number | boolean | readonly string[];
  /** Why the value is not what one might wish; undefined when it is. */
  readonly reason?: string | undefined;
}

/** A titled group of entries of `info`. */
export interface InfoSection {
  readonly title: string;
  readonly entries: readonly InfoEntry[];
}

/** What `bunker info` shows. */
export interface EngineInfo {
  readonly sections: readonly InfoSection[];
}

/** How the container's command ended: its own code, or 128 + n after signal n. */
export interface RunResult {
  readonly exitCode: number;
}
