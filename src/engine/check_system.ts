/** `system check`: whether the store is whole, and with `repair` what is broken goes. */
import { rmSync } from "node:fs";
import { checkStore, type StoreCheck } from "../store/check.ts";
import { replaceRecords } from "../store/images.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { removeAllAbandoned } from "./remove_abandoned.ts";
import { hasStore } from "./store_presence.ts";
import { takeUnderLock } from "./take_garbage.ts";

/** What was found, and what of it was removed. */
export interface SystemCheck extends StoreCheck {
  /** Paths relative to the data root. */
  readonly removed: readonly string[];
}

/** Checks the store. @param options `repair`: remove what is broken; what is only garbage then goes too */
export async function checkSystem(
  options: { readonly repair: boolean },
  context: EngineContext,
): Promise<SystemCheck> {
  const root = dataRoot(context);
  if (!hasStore(root)) return { blobs: 0, blobBytes: 0, layers: 0, images: 0, faults: [], removed: [] };
  const first = await checkStore(root);
  if (!options.repair) return { ...first, removed: [] };
  const removed = new Set<string>();
  await removeAllAbandoned(root);
  // What is removed may be what others rely on: a layer its image, so it is looked at again until nothing is broken.
  for (let check = first; ; check = await checkStore(root)) {
    const broken = check.faults.filter(({ isBroken, path }) => isBroken && !removed.has(path));
    const { finish } = await takeUnderLock(root, () => {
      for (const { path } of broken) rmSync(`${root}/${path}`, { recursive: true, force: true });
      replaceRecords(root, { written: [], removed: broken.filter(isImage).map(({ path }) => path) });
    });
    await finish(context);
    for (const { path } of broken) removed.add(path);
    if (broken.length === 0) return { ...first, removed: [...removed] };
  }
}

const isImage = ({ kind }: StoreCheck["faults"][number]): boolean => kind === "image";
