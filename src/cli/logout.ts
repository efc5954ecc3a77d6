/** `bunker logout`: forgets the credentials of a registry. */
import type { EngineContext } from "../engine/context.ts";
import { readCommandLine } from "./command_line.ts";
import { harmless, writeError, writeOut } from "./output.ts";
import { logoutSpec } from "./registry_specs.ts";

/** Logs out of the registry that the words name. @returns the exit code. */
export async function logOut(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(logoutSpec, words);
  if (parsed === undefined) return 0;
  const { logout } = await import("../engine/login.ts");
  const { registry, wasLoggedIn, remaining } = await logout(parsed.operands[0], context);
  const name = harmless(registry);
  writeOut(wasLoggedIn ? `Removing login credentials for ${name}\n` : `Not logged in to ${name}\n`);
  for (const path of remaining)
    writeError(`WARNING! ${harmless(path)} has credentials for ${name}, too: podman logout ${name}\n`);
  return 0;
}
