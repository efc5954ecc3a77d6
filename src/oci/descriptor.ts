/** Descriptors: what type, which content, how large (image-spec, descriptor.md). */
import { type Digest, parseDigest } from "./digest.ts";
import { type JsonObject, objectAt, optionalObject, show, sizeAt, stringAt } from "./json.ts";
import { type Platform, parsePlatformObject } from "./platform.ts";

/** The name of some content; its `urls` and inline `data` are never used. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Exact length in bytes of the content. */
  readonly size: number;
}

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
  return {
    mediaType: stringAt(object["mediaType"], `${path}.mediaType`),
    digest: digestAt(object["digest"], `${path}.digest`),
    size: sizeAt(object["size"], `${path}.size`),
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

function isAttestation(object: JsonObject, path: string): boolean {
  const annotations = optionalObject(object, "annotations", path);
  return annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}
