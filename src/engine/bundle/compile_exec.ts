/**
 * From a process and what was found of its container to the executable of exec's program. A health check runs the same one
 * again and again, so it is kept as that of a container is.
 */
import type { Process } from "../../oci/bundle/config.ts";
import type { ExecHost } from "../../runtime/exec_plan.ts";
import { build, exact, type KeptPlace, placeOf } from "./kept_files.ts";
import { addProcessTexts, type CompiledProgram, obtainProgram } from "./program_cache.ts";

/**
 * Compiles the program, or takes a kept one.
 * @param root the runtime's root
 * @throws {ConfigError} for what cannot be honoured.
 */
export function compileExec(process: Process, host: ExecHost, root: string): Promise<CompiledProgram> {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const warned = { ...host, process: { ...host.process, warn } };
  const texts = new Map<string, string>();
  addProcessTexts(texts, process);
  return obtainProgram({
    place: execPlace(process, host, root),
    texts,
    plan: async () => (await import("./plan_exec_program.ts")).planExecProgram(process, warned),
    warnings,
  });
}

/** Apart from the programs of containers: commands that are executed once each would make them go. */
function execPlace(process: Process, host: ExecHost, root: string): KeptPlace | undefined {
  if (build === undefined) return undefined;
  const { filter, ...rest } = host.process;
  const { personality, memoryPolicy } = host.linux;
  const read = { ...host, process: rest, linux: { personality, memoryPolicy } };
  const key = [build, process, read, filter?.flags];
  return placeOf(`${root}/~execs`, [JSON.stringify(key, exact), filter?.filter ?? ""]);
}
