/** Programs of write_program.ts as executables for this processor and the other one, and what runs them here. */
import { runPiped } from "./pipes.ts";
import type { Need } from "./requires.ts";

const WRITER = new URL("write_program.ts", import.meta.url).pathname;

/** Processors by Bun's names. */
export const architectures = ["x64", "arm64"] as const;

export type Architecture = (typeof architectures)[number];

/** Writes a program of write_program.ts, in a process of its own. */
export async function writeProgram(architecture: Architecture, name: string, file: string): Promise<void> {
  const { exitCode, stderr } = await runPiped([process.execPath, WRITER, architecture, name, file]);
  if (exitCode !== 0) throw new Error(`Cannot write the program "${name}": ${stderr}`);
}

/** What runs an executable of an architecture here, and what that needs. */
export function runnerOf(architecture: Architecture): {
  readonly runner: readonly string[];
  readonly needs: readonly Need[];
} {
  if (architecture === process.arch) return { runner: [], needs: [] };
  const program = architecture === "arm64" ? "qemu-aarch64" : "qemu-x86_64";
  return { runner: [program], needs: [`program ${program}`] };
}
