/** `system check`: whether the store is whole; with `repair` what can be mended is, and what is broken goes. */
import { rmSync } from "node:fs";
import { faultOfImage } from "../image/erofs/check_image.ts";
import { checkStore, faultsLeft, type StoreCheck, type StoreFault } from "../store/check.ts";
import { replaceRecords } from "../store/images.ts";
import { auditLayers } from "./audit_layers.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { removeAllAbandoned } from "./remove_abandoned.ts";
import { hasStore } from "./store_presence.ts";
import { takeUnderLock } from "./take_garbage.ts";

/** What was found, and what of it was mended or removed; paths are relative to the data root. */
export interface SystemCheck extends StoreCheck {
  /** Layers that were unpacked again. */
  readonly mended: readonly string[];
  readonly removed: readonly string[];
  /** Layers that stay as they are: somebody uses them. */
  readonly left: readonly string[];
}

/** What to check, and what to do about it. */
export interface CheckRequest {
  /** Mend what can be had from the blobs, remove what is broken; what is only garbage then goes too. */
  readonly repair: boolean;
  /** Unpack every layer once more, and compare [false]. */
  readonly full?: boolean;
}

/** Checks the store. */
export async function checkSystem(
  { repair, full = false }: CheckRequest,
  context: EngineContext,
): Promise<SystemCheck> {
  const root = dataRoot(context);
  const nothing = { mended: [], removed: [], left: [] };
  if (!hasStore(root)) return { blobs: 0, blobBytes: 0, layers: 0, images: 0, faults: [], ...nothing };
  const first = await checkStore(root, faultOfImage);
  if (!repair && !full) return { ...first, ...nothing };
  if (repair) await removeAllAbandoned(root);
  // A damaged blob would be taken for the truth.
  const blobs = repair ? await removeBroken(root, first.faults.filter(isBlob), context) : [];
  const audit = await auditLayers(root, { full, repair });
  const known = new Set(first.faults.map(({ path }) => path));
  const faults = [...first.faults, ...audit.faults.filter(({ path }) => !known.has(path))];
  const left = repair
    ? audit.faults.map(({ path }) => path).filter((path) => !audit.mended.includes(path))
    : [];
  const removed = repair ? await removeAll(root, context) : [];
  return { ...first, faults, mended: audit.mended, removed: [...blobs, ...removed], left };
}

/** Removes what is broken. @returns its paths */
async function removeAll(root: string, context: EngineContext): Promise<string[]> {
  const [looked, removed] = [new Set<string>(), new Set<string>()];
  // What is removed may be what others rely on: a layer its image, so it is looked at again until nothing is broken.
  for (;;) {
    const { faults } = await checkStore(root, faultOfImage);
    const broken = faults.filter(({ isBroken, path }) => isBroken && !looked.has(path));
    for (const { path } of broken) looked.add(path);
    for (const path of await removeBroken(root, broken, context)) removed.add(path);
    if (broken.length === 0) return [...removed];
  }
}

/** Removes what is broken still when nobody can change it any more. @returns its paths */
async function removeBroken(
  root: string,
  faults: readonly StoreFault[],
  context: EngineContext,
): Promise<readonly string[]> {
  let broken: readonly StoreFault[] = [];
  const { finish } = await takeUnderLock(root, () => {
    broken = faultsLeft(root, faults, faultOfImage);
    const records = new Set(broken.filter(isImage).map(({ path }) => path));
    for (const { path } of broken) {
      if (!records.has(path)) rmSync(`${root}/${path}`, { recursive: true, force: true });
    }
    replaceRecords(root, { written: [], removed: [...records] });
  });
  await finish(context);
  return broken.map(({ path }) => path);
}

const isImage = ({ kind }: StoreFault): boolean => kind === "image";
const isBlob = ({ kind }: StoreFault): boolean => kind === "blob";
