/** Parses `--network`. */
import { UsageError } from "../../errors.ts";
import type { RunOptions } from "./run_options.ts";

/**
 * The container's network: the host's, or none.
 * @throws {UsageError} for any other network.
 */
export function parseNetwork(text: string): RunOptions["network"] {
  if (text === "host" || text === "none") return text;
  throw new UsageError(`Cannot use network "${text}": private networks are not supported yet`, {
    hint: "Write --network=host or --network=none",
  });
}
