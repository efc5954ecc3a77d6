/** Parses `--pids-limit`. */

/** Greatest number of processes on 64-bit Linux (PID_MAX_LIMIT). */
export const PIDS_MAX = 4_194_304;

/**
 * A number of processes; -1 for no limit, which docker also writes as 0.
 * @throws {SyntaxError | RangeError} for what is no whole number, or above 4194304.
 */
export function parsePidsLimit(text: string): number {
  if (text === "-1") return -1;
  if (!/^\d{1,10}$/.test(text)) {
    throw new SyntaxError(`Cannot parse "${text}" as a number of processes: expected a whole number, or -1`);
  }
  const limit = Number(text);
  if (limit > PIDS_MAX) throw new RangeError(`Cannot limit processes to ${text}: the most is ${PIDS_MAX}`);
  return limit === 0 ? -1 : limit;
}
