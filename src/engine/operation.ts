/** Work that goes on while its caller does, or watches: a promise of its end that can be iterated for its steps. */

/**
 * A promise of the result, and an iterable of the steps until then. Nobody has to look at the steps: of each part only
 * the latest is kept. An error ends both. One reader at a time.
 */
export type Operation<Result, Step> = Promise<Result> & AsyncIterable<Step>;

/** Tells a step; `part` is what it is about, of which an older step that nobody has read is forgotten. */
export type Report<Step> = (part: string, step: Step) => void;

/** Begins the work at once. */
export function operation<Result, Step>(
  work: (report: Report<Step>) => Promise<Result>,
): Operation<Result, Step> {
  const steps = new Map<string, Step>();
  let news = Promise.withResolvers<void>();
  const report: Report<Step> = (part, step) => {
    // As the newest: the order is that of the last steps.
    steps.delete(part);
    steps.set(part, step);
    news.resolve();
  };
  let isOver = false;
  const result = work(report).finally(() => {
    isOver = true;
    news.resolve();
  });
  async function* follow(): AsyncGenerator<Step, void> {
    for (;;) {
      for (const [part, step] of steps) {
        steps.delete(part);
        yield step;
      }
      if (isOver) break;
      await news.promise;
      news = Promise.withResolvers();
    }
    await result;
  }
  const iterate = (): AsyncGenerator<Step, void> => {
    // A reader is told of a failure after the last step. Until then it may be busy, and nobody else may be waiting.
    result.catch(() => undefined);
    return follow();
  };
  return Object.assign(result, { [Symbol.asyncIterator]: iterate });
}
