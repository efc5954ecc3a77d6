/**
 * Lists of what refers to an image: an index whose entries say of what type each is (image-spec, image-index.md;
 * distribution-spec, spec.md#listing-referrers).
 */
import { type Descriptor, parseDescriptor } from "./descriptor.ts";
import { type Digest, digestHex, digestOfBytes } from "./digest.ts";
import {
  arrayAt,
  type JsonObject,
  objectAt,
  optionalObject,
  optionalString,
  parseJsonObject,
} from "./json.ts";
import { INDEX_ENTRY_COUNT_MAX } from "./manifest.ts";
import { bareMediaType, OCI_INDEX } from "./media_type.ts";

/** A manifest whose subject is some image. */
export interface Referrer extends Descriptor {
  readonly artifactType: string | undefined;
}

/** A manifest and its bytes. */
export interface ReferrerDocument {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The tag under which clients keep the list where a registry does not (spec.md#referrers-tag-schema). */
export function referrersTag(subject: Digest): string {
  return `sha256-${digestHex(subject)}`;
}

/** @throws {SyntaxError} {RangeError} when it is no index */
export function parseReferrers(bytes: Uint8Array): readonly Referrer[] {
  return entriesOf(bytes).map((value, at) => {
    const path = `manifests[${at}]`;
    const object = objectAt(value, path);
    return { ...parseDescriptor(object, path), artifactType: optionalString(object, "artifactType", path) };
  });
}

/**
 * Adds a manifest to a list, leaving the rest of it as it is.
 * @param list undefined: a new one
 * @returns the new list; undefined when the manifest is in it already
 */
export function withReferrer(
  list: Uint8Array | undefined,
  added: ReferrerDocument,
): ReferrerDocument | undefined {
  const entries = list === undefined ? [] : entriesOf(list);
  if (entries.some((entry) => objectAt(entry, "manifests[]")["digest"] === added.digest)) return undefined;
  const top =
    list === undefined ? { schemaVersion: 2, mediaType: OCI_INDEX } : parseJsonObject(list, "referrers");
  const bytes = Buffer.from(JSON.stringify({ ...top, manifests: [...entries, entryFor(added)] }));
  return { digest: digestOfBytes(bytes), mediaType: OCI_INDEX, bytes };
}

/** What a list says of a manifest. */
export function entryFor({ digest, mediaType, bytes }: ReferrerDocument): JsonObject {
  const document = parseJsonObject(bytes, "manifest");
  const config = optionalObject(document, "config", "manifest");
  const artifactType =
    optionalString(document, "artifactType", "manifest") ??
    (config === undefined ? undefined : optionalString(config, "mediaType", "manifest.config"));
  const annotations = optionalObject(document, "annotations", "manifest");
  return {
    ...{ mediaType: bareMediaType(mediaType), digest, size: bytes.length },
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function entriesOf(bytes: Uint8Array): readonly unknown[] {
  const document = parseJsonObject(bytes, "referrers");
  if (document["layers"] !== undefined || document["config"] !== undefined)
    throw new SyntaxError("Cannot read referrers: it is no index");
  return arrayAt(document["manifests"], "referrers.manifests", INDEX_ENTRY_COUNT_MAX);
}
