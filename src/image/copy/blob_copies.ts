/** Brings the blobs of a copy, a few at a time, and each once, however many manifests of the copy name it. */
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageManifest } from "../../oci/manifest.ts";
import { isForeignLayer } from "../../oci/media_type.ts";
import type { BlobOutcome } from "../../registry/writer.ts";
import type { PushProgress } from "../push_progress.ts";
import { BlobFeed } from "./blob_feed.ts";
import type { CopySource, CopyTarget, Repository } from "./place.ts";

/** Blobs that are on their way at one time, as with a push. */
const BLOBS_AT_ONCE = 5;

/** From where to where, and who hears of it. */
export interface BlobRoute {
  readonly source: CopySource;
  readonly target: CopyTarget;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PushProgress) => void;
}

const states = { exists: "exists", mounted: "mounted", uploaded: "pushed" } as const satisfies Record<
  BlobOutcome["kind"],
  string
>;

/** The blobs of one copy. */
export class BlobCopies {
  readonly #route: BlobRoute;
  readonly #begun = new Map<Digest, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  readonly #stop = new AbortController();
  #free = BLOBS_AT_ONCE;

  constructor(route: BlobRoute) {
    this.#route = route;
  }

  /** Ends when all that a manifest names is there. @throws what the first that failed did */
  async copyAll({ layers, config }: Pick<ImageManifest, "layers" | "config">): Promise<void> {
    const wanted = layers.filter(({ mediaType }) => !isForeignLayer(mediaType));
    const fresh = distinct(wanted).filter(({ digest }) => !this.#begun.has(digest));
    this.#route.onProgress({
      kind: "layers",
      layers: fresh.map(({ digest, size }) => ({ digest, sizeBytes: size })),
    });
    // The configuration is small, and no layer: nobody wants to see it move.
    const ways = [
      ...wanted.map((blob) => this.#once(blob, this.#route.onProgress)),
      this.#once(config, silent),
    ];
    // All of them: what goes on after the first failure must not outlive the copy.
    for (const end of await Promise.allSettled(ways)) if (end.status === "rejected") throw end.reason;
  }

  #once(blob: Descriptor, tell: Tell): Promise<void> {
    const way = this.#begun.get(blob.digest) ?? this.#inTurn(blob, tell);
    this.#begun.set(blob.digest, way);
    return way;
  }

  async #inTurn(blob: Descriptor, tell: Tell): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const signal = AbortSignal.any([this.#route.signal, this.#stop.signal]);
      signal.throwIfAborted();
      await this.#copy(blob, { signal, tell });
    } catch (error) {
      // The others would be of no use any more.
      this.#stop.abort(error);
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  async #copy(
    blob: Descriptor,
    { signal, tell }: { readonly signal: AbortSignal; readonly tell: Tell },
  ): Promise<void> {
    const { source, target } = this.#route;
    const { digest, size } = blob;
    await using feed = new BlobFeed(blob, (start, stop) => source.open(blob, start, stop));
    const outcome = await target.putBlob(feed, {
      signal,
      mountFrom: mountableFrom(source.repositoryOf(digest), target.repository),
      onBytes: (done) => tell({ kind: "layer", digest, state: "pushing", doneBytes: done, sizeBytes: size }),
    });
    const from = outcome.kind === "mounted" ? { from: outcome.from } : {};
    tell({ kind: "layer", digest, state: states[outcome.kind], doneBytes: size, sizeBytes: size, ...from });
  }
}

type Tell = BlobRoute["onProgress"];

const silent: Tell = () => undefined;

const distinct = (blobs: readonly Descriptor[]): Descriptor[] => [
  ...new Map(blobs.map((blob) => [blob.digest, blob])).values(),
];

/** The repository that has a blob, where it is another one of the same registry. */
function mountableFrom(from: Repository | undefined, to: Repository | undefined): string | undefined {
  if (from === undefined || to === undefined || from.registry !== to.registry) return undefined;
  return from.repository === to.repository ? undefined : from.repository;
}
