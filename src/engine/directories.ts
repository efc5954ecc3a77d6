/** Where the engine keeps things: data that stays, and state that goes with the machine's uptime. */
import type { EngineContext } from "./context.ts";
import { userDirectory } from "./home.ts";

/** Directory of compiled set-ups, relative to the data root (compiled_programs.ts). */
export const COMPILED_PROGRAMS = "cache/programs";

/** Data root: `--root`, BUNKER_ROOT, /var/lib/bunker, or below $XDG_DATA_HOME for others than root. */
export function dataRoot(context: EngineContext): string {
  const given = context.root ?? process.env["BUNKER_ROOT"];
  if (given !== undefined && given !== "") return absolute(given);
  if (process.getuid?.() === 0) return "/var/lib/bunker";
  return `${userDirectory("XDG_DATA_HOME", ".local/share")}/bunker`;
}

/** State root: `--state`, BUNKER_STATE, /run/bunker, or below $XDG_RUNTIME_DIR for others than root. */
export function stateRoot(context: EngineContext): string {
  const given = context.state ?? process.env["BUNKER_STATE"];
  if (given !== undefined && given !== "") return absolute(given);
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return "/run/bunker";
  const runtime = process.env["XDG_RUNTIME_DIR"];
  return runtime === undefined || runtime === "" ? `${dataRoot(context)}/run` : `${runtime}/bunker`;
}

const absolute = (path: string): string =>
  path.startsWith("/") ? path.replace(/(?<=.)\/+$/, "") : `${process.cwd()}/${path}`;
