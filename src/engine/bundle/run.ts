/** `run`: create and start in one, in the foreground or detached. */
import type { RuntimeContext } from "./context.ts";
import { removeContainer } from "./delete.ts";
import { type LaunchOptions, launchContainer } from "./launch.ts";
import { runPoststart } from "./start.ts";
import { awaitCommand, letGo, superviseCommand } from "./supervise.ts";

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
  try {
    const { started, file, linux } = launched;
    await awaitCommand(started, { process: file.process, linux, file });
    await runPoststart(launched.directory.path, launched.file);
    if (options.detach) {
      letGo(launched.started);
      return 0;
    }
    return await superviseCommand(launched.started);
  } finally {
    if (!options.detach && !options.keep) {
      await removeContainer(launched.directory, launched.file);
    }
    launched.directory[Symbol.dispose]();
  }
}
