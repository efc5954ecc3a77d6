/** Leaving a command to itself: detached, or waiting for `start`. */
import { call } from "../../linux/call.ts";
import type { StartedBundle } from "../../runtime/bundle_start.ts";

/** Closes what belongs to it on this side. */
export function letGo({ pidfd, master, socket }: StartedBundle): void {
  if (master !== undefined) call("close", master);
  call("close", socket);
  call("close", pidfd);
}
