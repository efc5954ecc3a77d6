/** An image of an OCI layout, to be copied from there. */
import type { Descriptor } from "../../oci/descriptor.ts";
import { blobPath, type Digest } from "../../oci/digest.ts";
import type { Referrer } from "../../oci/referrer.ts";
import type { Target } from "../../registry/client.ts";
import type { Document } from "../../registry/find_manifest.ts";
import { CopyError } from "./copy_error.ts";
import {
  findBytes,
  findLayoutIndex,
  hasBlob,
  type LayoutEntry,
  type LayoutIndex,
  referrersIn,
  subjectOf,
} from "./layout.ts";
import type { CopySource } from "./place.ts";

/** Which image of which directory. */
export interface LayoutName {
  /** Absolute. */
  readonly directory: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** Most tags that a message lists. */
const SHOWN_TAGS_MAX = 20;

/** Reads one image, and what is around it in its layout. */
export class LayoutSource implements CopySource {
  readonly name: string;
  readonly #directory: string;
  readonly #index: LayoutIndex;
  readonly #entry: LayoutEntry["descriptor"];
  #owned: Disposable | undefined;

  /**
   * @param shown what messages call it [its name on the command line]
   * @throws {CopyError} when there is no such layout, or no such image in it
   */
  constructor(name: LayoutName, shown: string = formatLayout(name)) {
    this.name = shown;
    this.#directory = name.directory;
    const index = findLayoutIndex(name.directory);
    if (index === undefined) {
      throw new CopyError(`Cannot read "${name.directory}": it is no OCI layout`, {
        hint: "Give the directory that holds oci-layout and index.json",
      });
    }
    this.#index = index;
    this.#entry = findEntry(name, index, shown).descriptor;
  }

  /** Has something disposed of with this source. */
  owning(owned: Disposable): this {
    this.#owned = owned;
    return this;
  }

  repositoryOf(): undefined {
    return undefined;
  }

  async findTop(): Promise<Target> {
    return this.#entry;
  }

  async readTop(): Promise<Document> {
    const document = await this.readDocument(this.#entry);
    if (document !== undefined) return document;
    throw new CopyError(`Cannot copy image "${this.name}": its manifest ${this.#entry.digest} is not there`);
  }

  async findTag(wanted: string): Promise<Document | undefined> {
    const entry = this.#index.entries.find(({ tag }) => tag === wanted);
    return entry === undefined ? undefined : this.readDocument(entry.descriptor);
  }

  async readDocument({ digest, mediaType }: Descriptor): Promise<Document | undefined> {
    const bytes = findBytes(this.#directory, digest);
    return bytes === undefined ? undefined : { digest, mediaType, bytes };
  }

  async open(descriptor: Descriptor, start: number): Promise<ReadableStream<Uint8Array>> {
    if (!hasBlob(this.#directory, descriptor)) {
      throw new CopyError(
        `Cannot copy image "${this.name}": its blob ${descriptor.digest} is missing or cut short`,
      );
    }
    return Bun.file(`${this.#directory}/${blobPath(descriptor.digest)}`)
      .slice(start)
      .stream();
  }

  async listReferrers(subject: Digest, artifactType: string | undefined): Promise<readonly Referrer[]> {
    const all = referrersIn(this.#directory, this.#index, subject);
    return all.filter((each) => artifactType === undefined || each.artifactType === artifactType);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#owned?.[Symbol.dispose]();
  }
}

/** As it is written on the command line. */
export function formatLayout({ directory, tag, digest }: LayoutName): string {
  const pin = digest === undefined ? "" : `@${digest}`;
  return `oci:${directory}${tag === undefined ? "" : `:${tag}`}${pin}`;
}

function findEntry(name: LayoutName, { entries }: LayoutIndex, shown: string): LayoutEntry {
  const named = entries.filter(
    ({ tag, descriptor }) =>
      (name.tag === undefined || tag === name.tag) &&
      (name.digest === undefined || descriptor.digest === name.digest),
  );
  const [first] = named;
  if (first === undefined) throw noSuchImage(shown, entries);
  const distinct = new Set(named.map(({ descriptor }) => descriptor.digest));
  if (distinct.size === 1) return first;
  // What refers to others is no image that one would mean without naming it.
  const images = named.filter(
    ({ tag, descriptor }) => tag !== undefined && !isReferrer(name, descriptor.digest),
  );
  const [only, second] = images;
  if (only !== undefined && second === undefined) return only;
  throw new CopyError(`Cannot choose an image of "${shown}": it has ${distinct.size}`, {
    hint: `Name one of its tags: ${tagsOf(entries)}`,
  });
}

function isReferrer({ directory }: LayoutName, digest: Digest): boolean {
  const bytes = findBytes(directory, digest);
  return bytes !== undefined && subjectOf(bytes) !== undefined;
}

function noSuchImage(shown: string, entries: readonly LayoutEntry[]): CopyError {
  const tags = tagsOf(entries);
  return new CopyError(`Cannot find image "${shown}": there is no such image`, {
    hint: tags === "" ? "Copy an image into it first" : `Name one of its tags: ${tags}`,
  });
}

function tagsOf(entries: readonly LayoutEntry[]): string {
  const tags = [...new Set(entries.flatMap(({ tag }) => (tag === undefined ? [] : [JSON.stringify(tag)])))];
  const more = tags.length > SHOWN_TAGS_MAX ? [`and ${tags.length - SHOWN_TAGS_MAX} more`] : [];
  return [...tags.slice(0, SHOWN_TAGS_MAX), ...more].join(", ");
}
