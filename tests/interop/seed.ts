/** The same images each time, so that a run tells of the change that it runs for; `random` looks further. */
const DEFAULT = 20_261_126;
/** Far enough below 2^32 for the generator, which multiplies. */
const RANDOM_BELOW = 2 ** 20;

/** The seed that a variable of the environment names. */
export function seedOf(text: string | undefined): number {
  if (text === "random") return Date.now() % RANDOM_BELOW;
  return Number(text ?? DEFAULT);
}
