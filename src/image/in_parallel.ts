/** Work on many things, a few at a time. */

/**
 * Does `work` for every item, `count` of them at one time.
 * @param signal ends it early; `work` gets one that is aborted by the first failure too
 * @throws the first failure, after everything that was begun has ended
 */
export async function inParallel<Item>(
  items: readonly Item[],
  { count, signal }: { readonly count: number; readonly signal?: AbortSignal | undefined },
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const queue = [...items];
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        either.throwIfAborted();
        // One after the other is what a lane is.
        await work(item, either);
      } catch (error) {
        failures.push(error);
        queue.length = 0;
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}
