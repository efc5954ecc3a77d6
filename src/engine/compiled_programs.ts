/** Keeps compiled set-ups for the next run: `ROOT/cache/programs/HASH` (ADR 0008). */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { COMPILED_PROGRAMS } from "./directories.ts";

/** Most set-ups that are kept, some 25 KB each; when there are more, all are made anew. */
const KEPT_MAX = 64;

/** Writes one; whoever is slower of two replaces the other's, which is the same. */
export function keepCompiled(root: string, { path, content }: { path: string; content: Uint8Array }): void {
  const directory = `${root}/${COMPILED_PROGRAMS}`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const kept = readdirSync(directory);
  if (kept.length >= KEPT_MAX) for (const name of kept) rmSync(`${directory}/${name}`, { force: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path);
}
