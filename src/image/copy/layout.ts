/**
 * OCI image layouts on the disk (image-spec, image-layout.md), as others write them too: `oci-layout`, `index.json`, and
 * blobs by their digest. A tag is an annotation of an entry of `index.json`.
 */

import { lstatSync, readFileSync, statSync } from "node:fs";
import { type ManifestDescriptor, parseManifestDescriptor } from "../../oci/descriptor.ts";
import { blobPath, type Digest, digestOfBytes } from "../../oci/digest.ts";
import { INDEX_DEPTH_MAX } from "../../oci/find_platform.ts";
import {
  arrayAt,
  DOCUMENT_BYTES_MAX,
  type JsonObject,
  objectAt,
  optionalObject,
  optionalString,
  parseJsonObject,
} from "../../oci/json.ts";
import { checkLayoutVersion } from "../../oci/layout_version.ts";
import {
  type ImageIndex,
  type ImageManifest,
  INDEX_ENTRY_COUNT_MAX,
  parseDocument,
} from "../../oci/manifest.ts";
import { isForeignLayer } from "../../oci/media_type.ts";
import { entryFor, parseReferrers, type Referrer, referrersTag } from "../../oci/referrer.ts";
import type { Document } from "../../registry/find_manifest.ts";
import { CopyError } from "./copy_error.ts";
import type { Role } from "./place.ts";

/** An entry of `index.json`. */
export interface LayoutEntry {
  readonly descriptor: ManifestDescriptor;
  readonly tag: string | undefined;
  /** As it stands there. */
  readonly object: JsonObject;
}

/** `index.json`. */
export interface LayoutIndex {
  /** Everything but the list. */
  readonly top: JsonObject;
  readonly entries: readonly LayoutEntry[];
}

/** Annotation of an entry that says what it is called. */
export const REF_NAME = "org.opencontainers.image.ref.name";
export const EMPTY_INDEX: LayoutIndex = {
  top: { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json" },
  entries: [],
};

/**
 * Reads `index.json`.
 * @returns undefined when the directory is no layout
 * @throws {CopyError} when it is one of another version, or damaged
 */
export function findLayoutIndex(directory: string): LayoutIndex | undefined {
  const version = readSmall(`${directory}/oci-layout`);
  if (version === undefined) return undefined;
  try {
    checkLayoutVersion(version);
    const bytes = readSmall(`${directory}/index.json`);
    return bytes === undefined ? EMPTY_INDEX : parseLayoutIndex(bytes);
  } catch (cause) {
    throw new CopyError(`Cannot read OCI layout "${directory}"`, { cause });
  }
}

function parseLayoutIndex(bytes: Uint8Array): LayoutIndex {
  const { manifests, ...top } = parseJsonObject(bytes, "index.json");
  const entries = arrayAt(manifests, "index.json.manifests", INDEX_ENTRY_COUNT_MAX);
  return {
    top,
    entries: entries.map((value, at) => {
      const path = `index.json.manifests[${at}]`;
      const object = objectAt(value, path);
      const annotations = optionalObject(object, "annotations", path) ?? {};
      return {
        descriptor: parseManifestDescriptor(object, path),
        tag: optionalString(annotations, REF_NAME, path),
        object,
      };
    }),
  };
}

/** The bytes of a document. @returns undefined when it is not there @throws {CopyError} when it is damaged */
export function findBytes(directory: string, digest: Digest): Uint8Array | undefined {
  const bytes = readSmall(`${directory}/${blobPath(digest)}`);
  if (bytes === undefined || digestOfBytes(bytes) === digest) return bytes;
  throw new CopyError(`Cannot read "${digest}" of OCI layout "${directory}": it is damaged`);
}

/** Whether a blob is there, as a file of the right size. */
export function hasBlob(
  directory: string,
  { digest, size }: { readonly digest: Digest; readonly size: number },
): boolean {
  const stat = statSync(`${directory}/${blobPath(digest)}`, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === size;
}

/**
 * What refers to a manifest: entries of `index.json` with that subject, as oras writes them, and those of an index under
 * the tag that registries have for it.
 */
export function referrersIn(directory: string, { entries }: LayoutIndex, subject: Digest): Referrer[] {
  const listed = entries.flatMap(({ descriptor, object }): Referrer[] => {
    const bytes = findBytes(directory, descriptor.digest);
    if (bytes === undefined || subjectOf(bytes) !== subject) return [];
    return [{ ...descriptor, artifactType: optionalString(object, "artifactType", "index.json") }];
  });
  const tagged = entries.find(({ tag }) => tag === referrersTag(subject));
  const bytes = tagged === undefined ? undefined : findBytes(directory, tagged.descriptor.digest);
  const all = [...listed, ...(bytes === undefined ? [] : parseReferrers(bytes))];
  return [...new Map(all.map((referrer) => [referrer.digest, referrer])).values()];
}

/** The subject of a manifest; undefined when it has none, or is none. */
export function subjectOf(bytes: Uint8Array): Digest | undefined {
  try {
    return parseDocument(bytes).subject?.digest;
  } catch {
    // An entry of another kind refers to nothing.
    return undefined;
  }
}

/** A file that holds a document: what is larger is none, and a pipe would never end. */
export function readSmall(path: string): Uint8Array | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isFile() && stat.size <= DOCUMENT_BYTES_MAX) return readFileSync(path);
  throw new CopyError(`Cannot read "${path}": it is no file of at most ${DOCUMENT_BYTES_MAX} bytes`);
}

/** Whether a document is there with all that it names; foreign layers are somewhere else. */
export function hasWhole(directory: string, digest: Digest, depth = 0): boolean {
  const content = depth > INDEX_DEPTH_MAX ? undefined : findSound(directory, digest);
  if (content === undefined) return false;
  if (content.kind === "index")
    return content.entries.every((entry) => hasWhole(directory, entry.digest, depth + 1));
  const blobs = content.layers.filter(({ mediaType }) => !isForeignLayer(mediaType));
  return [content.config, ...blobs].every((blob) => hasBlob(directory, blob));
}

/** A document that can be read; what is damaged is as good as not there. */
export function findSound(directory: string, digest: Digest): ImageManifest | ImageIndex | undefined {
  try {
    const bytes = findBytes(directory, digest);
    return bytes === undefined ? undefined : parseDocument(bytes);
  } catch {
    return undefined;
  }
}

/** An entry for `index.json`. */
export interface NewEntry {
  readonly tag: string | undefined;
  readonly object: JsonObject;
}

/** What `index.json` is to say of a document; nothing of one that others refer to. @param topTag the image's own */
export function newEntry(document: Document, role: Role, topTag: string | undefined): NewEntry | undefined {
  const { mediaType, digest, bytes } = document;
  if (role.kind === "part") return undefined;
  if (role.kind === "referrer") return { tag: undefined, object: entryFor(document) };
  const tag = role.kind === "top" ? topTag : role.tag;
  const platform = role.kind === "top" && role.platform !== undefined ? { platform: role.platform } : {};
  const annotations = tag === undefined ? {} : { annotations: { [REF_NAME]: tag } };
  return { tag, object: { mediaType, digest, size: bytes.length, ...platform, ...annotations } };
}
