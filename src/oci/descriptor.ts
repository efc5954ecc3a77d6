/** Descriptors: what type, which content, how large (image-spec, descriptor.md). */
import { type Digest, digestOfBytes, parseDigest } from "./digest.ts";
import {
  type JsonObject,
  objectAt,
  optionalObject,
  optionalString,
  show,
  sizeAt,
  stringAt,
  stringsAt,
} from "./json.ts";
import { isForeignLayer } from "./media_type.ts";
import { type Platform, parsePlatformObject } from "./platform.ts";

/** The name of some content. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Exact length in bytes of the content. */
  readonly size: number;
  /** The content itself, where the document has it; it is what the digest says. */
  readonly data?: Uint8Array;
  /** Other places of a foreign layer; of everything else they are left out. */
  readonly urls?: readonly string[];
}

/** Most places of a foreign layer. */
const URL_COUNT_MAX = 16;

/** An entry of an index. */
export interface ManifestDescriptor extends Descriptor {
  readonly platform?: Platform;
  /** True for BuildKit's provenance entries, which no platform can run. */
  readonly isAttestation: boolean;
}

/**
 * @param path names the value in messages, e.g. `layers[2]`
 * @throws {SyntaxError} when a field is missing or of the wrong shape
 */
export function parseDescriptor(value: unknown, path: string): Descriptor {
  const object = objectAt(value, path);
  const descriptor = {
    mediaType: stringAt(object["mediaType"], `${path}.mediaType`),
    digest: digestAt(object["digest"], `${path}.digest`),
    size: sizeAt(object["size"], `${path}.size`),
  };
  const data = inlineData(object, path, descriptor);
  const urls = isForeignLayer(descriptor.mediaType)
    ? stringsAt(object["urls"], `${path}.urls`, URL_COUNT_MAX)
    : [];
  return {
    ...descriptor,
    ...(data === undefined ? {} : { data }),
    ...(urls.length === 0 ? {} : { urls }),
  };
}

/** @throws {SyntaxError} as {@link parseDescriptor} */
export function parseManifestDescriptor(value: unknown, path: string): ManifestDescriptor {
  const object = objectAt(value, path);
  const platform = optionalObject(object, "platform", path);
  return {
    ...parseDescriptor(object, path),
    ...(platform === undefined ? {} : { platform: parsePlatformObject(platform, `${path}.platform`) }),
    isAttestation: isAttestation(object, path),
  };
}

/** The digest at `path`. @throws {SyntaxError} unless it is a sha256 digest */
export function digestAt(value: unknown, path: string): Digest {
  const text = stringAt(value, path);
  try {
    return parseDigest(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${path}: ${show(text)} is not a sha256 digest`, { cause });
  }
}

/** Base64 (image-spec, descriptor.md). What is not the content would be another image for those who look at it. */
function inlineData(object: JsonObject, path: string, { digest, size }: Descriptor): Uint8Array | undefined {
  const text = optionalString(object, "data", path);
  if (text === undefined) return undefined;
  const data = new Uint8Array(Buffer.from(text, "base64"));
  if (data.length === size && digestOfBytes(data) === digest) return data;
  throw new SyntaxError(`Cannot read ${path}.data: it is not what size and digest say`);
}

function isAttestation(object: JsonObject, path: string): boolean {
  const annotations = optionalObject(object, "annotations", path);
  return annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}
