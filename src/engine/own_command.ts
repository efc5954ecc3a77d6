/** How one bunker starts another: for work in a user namespace, and for removals in the background. */
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";

/** What scripts/build.ts puts here. */
declare const BUNKER_BUILD: string;

/**
 * The executable and what has to stand before the first argument: nothing when the program is inside of it, else the
 * file of its entry point.
 * @throws {UsageError} when this code is inside the executable of somebody else, which does not know our words
 */
export function ownCommand(): string[] {
  if (typeof BUNKER_BUILD === "string") return [process.execPath];
  if (!Bun.main.startsWith("/$bunfs/")) {
    return [process.execPath, fileURLToPath(new URL("../main.ts", import.meta.url))];
  }
  throw new UsageError("Cannot start a second bunker from a program that Bun has compiled", {
    hint: "Start it with `bun run`, or as root",
  });
}
