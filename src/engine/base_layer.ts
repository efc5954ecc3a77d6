/**
 * The lowest layer of every container: the places where /dev, /proc, /sys and three files of /etc are mounted. An
 * image that lacks them is completed by it, one that has them hides it, and nothing is written into the container's
 * own layer.
 */
import { exists } from "../linux/small_file.ts";

/** Directory relative to the data root. */
export const BASE_LAYER = "base";

/** Makes the base layer where it is missing; of two processes that make it, one wins. */
export async function ensureBaseLayer(root: string): Promise<void> {
  const path = `${root}/${BASE_LAYER}`;
  if (exists(path)) return;
  const { mkdirSync, renameSync, rmSync, writeFileSync } = await import("node:fs");
  const made = `${path}.${process.pid}`;
  for (const name of ["dev", "etc", "proc", "sys"])
    mkdirSync(`${made}/${name}`, { recursive: true, mode: 0o755 });
  for (const name of ["hostname", "hosts", "resolv.conf"])
    writeFileSync(`${made}/etc/${name}`, "", { mode: 0o644 });
  try {
    renameSync(made, path);
  } catch (error) {
    rmSync(made, { recursive: true });
    if (!exists(path)) throw error;
  }
}
