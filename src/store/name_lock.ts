/** Locks of names: many processes that want one image at once let the first of them fetch it. */
import { rmSync } from "node:fs";
import { Lock, type LockOptions } from "../fs/lock.ts";
import { recordPath } from "./find_image.ts";
import type { RecordPlace } from "./images.ts";

/**
 * Waits until no other process fetches what the place is for. Taken before all other locks. Its file goes when it is
 * released; one that a killed process has left goes with the next fetch of that name.
 * @throws the signal's reason when it is aborted meanwhile
 */
export async function lockName(root: string, place: RecordPlace, options: LockOptions): Promise<Disposable> {
  const key = new Bun.CryptoHasher("sha256")
    .update(recordPath(place.reference, place.platform))
    .digest("hex");
  const file = `${root}/locks/pull-${key}`;
  const lock = await Lock.take(file, options);
  return {
    [Symbol.dispose]: () => {
      // While it is held: whoever waits sees that it is gone, and makes another.
      rmSync(file, { force: true });
      lock[Symbol.dispose]();
    },
  };
}
