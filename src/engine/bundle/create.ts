/** `create`: makes a container that waits for `start` (runtime.md#create). */
import type { RuntimeContext } from "./context.ts";
import { type LaunchOptions, launchContainer } from "./launch.ts";
import { letGo } from "./let_go.ts";

/** Creates container `id`. @throws {RuntimeError} {ConfigError} with nothing left behind. */
export async function createContainer(
  id: string,
  options: LaunchOptions,
  context: RuntimeContext,
): Promise<void> {
  const mode = { waits: true, relays: false };
  const { directory, started } = await launchContainer(id, options, { mode, context });
  letGo(started);
  directory[Symbol.dispose]();
}
