/** `run`: create and start in one, in the foreground or detached. */

import { exists } from "../../linux/small_file.ts";
import type { RuntimeContext } from "./context.ts";
import { type LaunchOptions, launchContainer } from "./launch.ts";
import { letGo } from "./let_go.ts";
import { StateDirectory } from "./state_directory.ts";
import { readStateFile, type StateFile } from "./state_file.ts";

/** The flags of runc's `run` beyond those of `create`. */
export interface RunBundleOptions extends LaunchOptions {
  readonly detach: boolean;
  /** The container is not deleted when it has ended. */
  readonly keep: boolean;
}

/**
 * Runs container `id`. @returns the status of its command, or 0 when it runs detached.
 * @throws {RuntimeError} {ConfigError} with nothing left behind.
 */
export async function runBundle(
  id: string,
  options: RunBundleOptions,
  context: RuntimeContext,
): Promise<number> {
  const mode = { waits: false, relays: !options.detach };
  const launched = await launchContainer(id, options, { mode, context });
  const { directory, started, file, linux } = launched;
  const { awaitCommand, superviseCommand } = await import("./supervise.ts");
  try {
    await awaitCommand(started, { process: file.process, linux, file });
    if (file.hooks.includes("poststart")) {
      const { runPoststart } = await import("./start.ts");
      await runPoststart(directory.path, file);
    }
  } catch (error) {
    const { takeBack } = await import("./delete.ts");
    await takeBack(directory, file, context);
    throw error;
  } finally {
    // Other commands work on the container while this one waits for its end.
    directory[Symbol.dispose]();
  }
  if (options.detach) {
    letGo(started);
    return 0;
  }
  try {
    return await superviseCommand(started);
  } finally {
    if (!options.keep) await removeIfThere(file, context);
  }
}

/** Removes the container unless somebody else has, and has perhaps made another of its name. */
async function removeIfThere(file: StateFile, context: RuntimeContext): Promise<void> {
  try {
    using directory = await StateDirectory.open(context.root, file.id);
    const found = readStateFile(directory.path);
    const { removeContainer } = await import("./delete.ts");
    if (found?.pid === file.pid && found.startTime === file.startTime)
      await removeContainer(directory, found, context);
  } catch (error) {
    if (exists(`${context.root}/${file.id}`)) throw error;
  }
}
