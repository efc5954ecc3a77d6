/** Makes an image that shows a mistake smaller, as long as it still shows it: a person reads what is left. */
import type { TarEntry } from "../helpers/tar_builder.ts";

type Layers = ReadonlyArray<readonly TarEntry[]>;

/** Each try unpacks the image twice. */
const TRIES_MAX = 150;

/** Leaves entries out, many at once first. @param fails whether the mistake shows */
export async function shrinkLayers(
  layers: Layers,
  fails: (layers: Layers) => Promise<boolean>,
): Promise<Layers> {
  let small = layers.flatMap((entries, layer) => entries.map((entry) => ({ layer, entry })));
  const asLayers = (list: typeof small): Layers =>
    layers.map((_, at) => list.filter(({ layer }) => layer === at).map(({ entry }) => entry));
  let tries = 0;
  for (let size = Math.ceil(small.length / 2); size >= 1 && tries < TRIES_MAX; size = Math.floor(size / 2)) {
    for (let at = 0; at < small.length && tries < TRIES_MAX; tries++) {
      const shorter = [...small.slice(0, at), ...small.slice(at + size)];
      if (await fails(asLayers(shorter))) small = shorter;
      else at += size;
    }
  }
  return asLayers(small).filter((entries) => entries.length > 0);
}
