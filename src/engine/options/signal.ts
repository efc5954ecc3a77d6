/** Parses a signal as kill(1) takes it. */

/** signal(7) on x86-64 and arm64, in the order of the numbers from 1 on. */
const NAMES =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

/** Second names. */
const ALIASES: Readonly<Record<string, string>> = { IOT: "ABRT", CLD: "CHLD", POLL: "IO" };

/** As glibc counts: it keeps 32 and 33 to itself. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * The number of a signal: a name with or without `SIG`, in any case, `RTMIN+3`, `RTMAX-1`, or a number from 0 to 64,
 * where 0 only asks whether there is a process.
 * @throws {SyntaxError} for anything else.
 */
export function parseSignal(text: string): number {
  const number = /^\d{1,2}$/.test(text) ? Number(text) : numberOf(text.toUpperCase().replace(/^SIG/, ""));
  if (number !== undefined && number <= SIGRTMAX) return number;
  throw new SyntaxError(`Cannot use "${text}" as a signal: unknown signal`);
}

function numberOf(name: string): number | undefined {
  const [, base, offset] = /^(RTMIN|RTMAX)([+-]\d{1,2})?$/.exec(name) ?? [];
  if (base !== undefined) {
    const number = (base === "RTMIN" ? SIGRTMIN : SIGRTMAX) + Number(offset ?? 0);
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
  }
  const index = NAMES.indexOf(ALIASES[name] ?? name);
  return index < 0 ? undefined : index + 1;
}
