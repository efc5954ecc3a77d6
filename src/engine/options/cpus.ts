/** Parses `--cpus`. */

/** Least share: the kernel's quota is at least 1 ms in a period of 100 ms. */
export const CPUS_MIN = 0.01;
/** Greatest number: above the number of processors that Linux can have (NR_CPUS). */
export const CPUS_MAX = 8192;

/**
 * A number of processors; undefined for 0, which is docker's "no limit".
 * @throws {SyntaxError | RangeError} for what is no decimal number, or out of bounds.
 */
export function parseCpus(text: string): number | undefined {
  if (!/^(?:\d{1,5}(?:\.\d{0,9})?|\.\d{1,9})$/.test(text)) {
    throw new SyntaxError(
      `Cannot parse "${text}" as a number of CPUs: expected a decimal number such as 1.5`,
    );
  }
  const cpus = Number(text);
  if (cpus === 0) return undefined;
  if (cpus < CPUS_MIN || cpus > CPUS_MAX) {
    throw new RangeError(`Cannot limit CPUs to ${text}: the range is ${CPUS_MIN} to ${CPUS_MAX}`);
  }
  return cpus;
}
