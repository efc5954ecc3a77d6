/** `inspect`: everything that is known about a local image, in docker's shape. */
import { type JsonObject, parseJsonObject } from "../oci/json.ts";
import { familiarName, familiarReference, parseReference } from "../oci/reference.ts";
import type { StoredImage } from "../store/find_image.ts";
import { type ImageRecord, listRecords } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { readDocuments } from "./image_documents.ts";
import { getLocalImage } from "./local_image.ts";

/** An image as `docker image inspect` shows it; absolute paths, digests with `sha256:`. */
export interface ImageInspection {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  /** RFC 3339 as the image has it; empty when it does not say. */
  readonly Created: string;
  readonly DockerVersion: string;
  readonly Author: string;
  /** `config` of the image's own document, with all that it holds. */
  readonly Config: JsonObject;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  /** Bytes of the unpacked layers. */
  readonly Size: number;
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> };
  readonly RootFS: { readonly Type: "layers"; readonly Layers: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
  /** The platform's manifest. */
  readonly Descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
}

/** Looks at one image. @throws {NoSuchImageError} {ImageDamagedError} */
export async function inspectImage(word: string, context: EngineContext): Promise<ImageInspection> {
  const root = dataRoot(context);
  const image = getLocalImage(root, word);
  const { manifestBytes, config, configBytes } = readDocuments(root, image);
  const document = parseJsonObject(configBytes, "image config");
  return {
    Id: image.imageId,
    ...namesOf(image, listRecords(root)),
    Parent: "",
    Comment: config.history.at(-1)?.comment ?? "",
    Created: config.created ?? "",
    DockerVersion: typeof document["docker_version"] === "string" ? document["docker_version"] : "",
    Author: config.author ?? "",
    Config: (document["config"] ?? {}) as JsonObject,
    Architecture: image.architecture,
    ...(image.variant === undefined ? {} : { Variant: image.variant }),
    Os: image.os,
    Size: image.sizeBytes,
    GraphDriver: { Name: "overlay", Data: directoriesOf(root, image) },
    RootFS: { Type: "layers", Layers: config.diffIds },
    Metadata: { LastTagTime: image.storedAt },
    Descriptor: {
      mediaType: image.manifestMediaType,
      digest: image.manifestDigest,
      size: manifestBytes.length,
    },
  };
}

/** Names of all records of the image, in docker's two lists. */
function namesOf(
  { imageId }: StoredImage,
  records: readonly ImageRecord[],
): Pick<ImageInspection, "RepoTags" | "RepoDigests"> {
  const own = records.filter(({ image }) => image.imageId === imageId);
  const references = own.map(({ image }) => ({ reference: parseReference(image.reference), image }));
  const tagged = references.filter(({ reference }) => reference.digest === undefined);
  return {
    RepoTags: [...new Set(tagged.map(({ reference }) => familiarReference(reference)))],
    RepoDigests: [
      ...new Set(
        references.map(({ reference, image }) => `${familiarName(reference)}@${image.targetDigest}`),
      ),
    ],
  };
}

/** Where the layers lie, in docker's names: the top one, and those below it from above. */
function directoriesOf(root: string, { layers }: StoredImage): Record<string, string> {
  const [top, ...below] = layers.toReversed().map((layer) => `${root}/${layer}`);
  return {
    ...(below.length === 0 ? {} : { LowerDir: below.join(":") }),
    ...(top === undefined ? {} : { UpperDir: top }),
  };
}
