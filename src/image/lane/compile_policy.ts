/**
 * When the runtime compiles a Worker's code. A layer's code is hot at once, and the first compiled form of it is good enough:
 * compiling it ever better takes a tenth of a pull's processor time, and 10 MB, on threads of its own (measured).
 */

/** The executable starts with 16 times the usual thresholds, which suit commands that are over in milliseconds. */
const EARLY = 4;
/** Enough for what only later layers need, not for compiling better what is compiled. */
const LATE = 200;
/** Pieces of a layer, of up to 128 KiB, after which all that matters has been compiled once. */
const PIECES = 4;

let pieces = 0;

/** To be called when the Worker starts. */
export const compileEarly = (): void => Bun.unsafe.setJITPolicy(EARLY);

/** To be called after each piece of a layer. */
export function onPiece(): void {
  pieces += 1;
  if (pieces === PIECES) Bun.unsafe.setJITPolicy(LATE);
}
