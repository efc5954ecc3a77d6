/** The rounds of a race, which are to be many: what wins by chance is not seen in a few. */

/** As many as fit into `raceMs`; on a machine with much to do no fewer than it takes until `isEnough`. */
export async function raceFor(
  raceMs: number,
  round: () => Promise<void>,
  isEnough: () => boolean,
): Promise<void> {
  for (const end = Date.now() + raceMs; Date.now() < end || !isEnough(); ) await round();
}
