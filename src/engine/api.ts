/**
 * The library: `import { run } from "bunker"`. The same engine as the command line's; options have the same defaults.
 *
 *     const { exitCode } = await run({ image: "alpine", command: ["echo", "hey"] });
 */
import type { EngineContext } from "./context.ts";
import { defaultRunOptions, type RunOptions } from "./options/run_options.ts";
import type { RunResult } from "./run.ts";

/** Runs a container to its end. Standard streams are this process's own. @throws {BunkerError} */
export async function run(
  options: Partial<RunOptions> & Pick<RunOptions, "image">,
  context: Partial<EngineContext> = {},
): Promise<RunResult> {
  const engine = await import("./run.ts");
  return engine.run({ ...defaultRunOptions, ...options }, { debug: false, embedded: true, ...context });
}
