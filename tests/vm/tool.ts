/** Runs a tool of the host to its end. */

/** How much of what a failing tool has said is told. */
const COMPLAINT_LENGTH_MAX = 600;

export interface ToolOptions {
  readonly cwd?: string;
  readonly timeoutMs: number;
}

/** @throws {Error} with the end of what it said, when it does not end with 0. @returns its stdout */
export function runTool(command: readonly string[], { cwd, timeoutMs }: ToolOptions): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    stdin: "ignore",
    timeout: timeoutMs,
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin`, LC_ALL: "C" },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (exitCode === 0) return stdout.toString();
  const complaint = stderr.toString().trim().slice(-COMPLAINT_LENGTH_MAX);
  throw new Error(`Cannot run "${command[0]}": exit code ${exitCode}: ${complaint}`);
}
