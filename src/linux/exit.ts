/** Leaving without goodbye. */
import { call } from "./call.ts";

/**
 * Ends this process and its threads: exit_group(2). What has been written stays written, since everything of ours is
 * written by system calls; process.exit() puts Bun in order first, which takes 1.5 to 2 ms of processor time (measured).
 */
export function exitNow(code: number): void {
  call("exit_group", code);
}
