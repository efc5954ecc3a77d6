/** `system check --full`, and what `--repair` mends: unpacked layers held against the archives that they came from. */
import { existsSync } from "node:fs";
import { auditImage, type LayerDamage } from "../image/audit_image.ts";
import { faultOfImage } from "../image/erofs/check_image.ts";
import { blobPath } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import type { StoreFault } from "../store/check.ts";
import { isImagePath, type StoredImage } from "../store/find_image.ts";
import { listImages, lockImages } from "../store/images.ts";
import { commitLayer, commitRecord, layerPathOf, readLayerRecord } from "../store/layers.ts";
import { layerNameAt } from "../store/layout.ts";
import { type ImageDocuments, readDocuments } from "./image_documents.ts";
import { holdUsers } from "./image_users.ts";
import { idMapsOfUser } from "./rootless.ts";
import { runTask } from "./user_namespace_task.ts";

/** What is to be done. */
export interface AuditRequest {
  /** Every layer, not only those that are missing, or cannot be read. */
  readonly full: boolean;
  /** Put in place what is missing or differs. */
  readonly repair: boolean;
}

/** What an audit has found, and what it has mended. */
export interface LayerAudit {
  readonly faults: readonly StoreFault[];
  /** Paths of layers, relative to the data root. */
  readonly mended: readonly string[];
}

/** Looks at the layers of all images whose blobs are here. @throws {DiskFullError} when they do not fit beside the store */
export async function auditLayers(root: string, request: AuditRequest): Promise<LayerAudit> {
  if (process.getuid?.() === 0) return auditHere(root, request, undefined);
  const idMaps = idMapsOfUser();
  const audits: LayerAudit[] = [];
  await runTask({ kind: "audit", root, request, single: idMaps.single }, idMaps, {
    onMessage: (message) => {
      if (message.kind === "answer") audits.push(...(message.values as LayerAudit[]));
    },
  });
  return audits[0] ?? { faults: [], mended: [] };
}

/** The same as the user that this process is, root of some namespace. */
export async function auditHere(
  root: string,
  request: AuditRequest,
  rootless: { readonly owners: "exact" | "single" } | undefined,
): Promise<LayerAudit> {
  const seen = new Set<string>();
  const faults: StoreFault[] = [];
  const mended: string[] = [];
  for (const image of listImages(root)) {
    const wanted = new Set(
      image.layers.filter((layer) => !seen.has(layer) && (request.full || isBroken(root, layer))),
    );
    const documents = wanted.size === 0 ? undefined : wholeDocuments(root, image);
    if (documents === undefined) continue;
    // One image after the other: each needs the room of all its layers.
    await auditImage({
      root,
      image,
      resolved: resolvedOf(image, documents),
      rootless,
      isWanted: (layer) => wanted.has(layer),
      onDamage: async (damage) => {
        faults.push({ kind: "layer", path: damage.layer, state: damage.state, isBroken: true });
        if (request.repair && (await mend(root, damage))) mended.push(damage.layer);
      },
    });
    for (const layer of wanted) seen.add(layer);
  }
  return { faults, mended };
}

function isBroken(root: string, layer: string): boolean {
  const path = `${root}/${layer}`;
  if (!existsSync(path) || readLayerRecord(root, layerNameAt(layer)) === undefined) return true;
  return isImagePath(layer) && faultOfImage(path) !== undefined;
}

/** Documents of an image that has all its blobs; what lacks one, checkStore() reports. */
function wholeDocuments(root: string, image: StoredImage): ImageDocuments | undefined {
  try {
    const documents = readDocuments(root, image);
    const isWhole = documents.manifest.layers.every(({ digest }) =>
      existsSync(`${root}/${blobPath(digest)}`),
    );
    return isWhole ? documents : undefined;
  } catch {
    // Damaged documents are faults of their own.
    return undefined;
  }
}

function resolvedOf(
  image: StoredImage,
  documents: ImageDocuments,
): Parameters<typeof auditImage>[0]["resolved"] {
  const { manifest, manifestBytes, config, configBytes } = documents;
  const { manifestDigest, targetDigest, manifestMediaType: mediaType } = image;
  return {
    reference: parseReference(image.reference),
    targetDigest,
    indices: [],
    manifestDocument: { bytes: manifestBytes, digest: manifestDigest, mediaType },
    manifestDigest,
    manifest,
    configBytes,
    config,
    isOtherPlatform: false,
  };
}

/** @returns false when somebody uses the layer: what changes below a mounted overlay is undefined */
async function mend(root: string, { layer, fresh, isRecordOnly }: LayerDamage): Promise<boolean> {
  using _ = await lockImages(root);
  if (layerPathOf(fresh.record) !== layer) return false;
  if (isRecordOnly) {
    commitRecord(root, fresh);
    return true;
  }
  using held = holdUsers(root);
  if (held.users.some(({ layers }) => layers.includes(layer))) return false;
  commitLayer(root, fresh);
  return true;
}
