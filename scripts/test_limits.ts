/**
 * Bounds of tests that name none themselves: Bun's own, five seconds, is little for a command or two on a machine with much
 * to do. What a test waits for has a bound below it, and a suite one above it (test.ts).
 */

/** Milliseconds for a test. */
export const TEST_MS_MAX = 60_000;
