/** Runs the program as a user does, with data and state of its own, and all of its output captured exactly. */
import { type PipedResult, runPiped } from "./pipes.ts";
import { executable } from "./requires.ts";

/** The ways to start the program: the compiled executable, or its sources. */
export const programs = {
  "dist/bunker": [executable],
  "bun run src/main.ts": [process.execPath, "run", new URL("../../src/main.ts", import.meta.url).pathname],
} as const;

export interface BunkerOptions {
  /** [dist/bunker] */
  readonly program?: keyof typeof programs;
  /** A copy of the compiled executable, in its place. */
  readonly executable?: string;
  /** Words before the program: a command that runs it. */
  readonly wrapper?: readonly string[];
  /** BUNKER_ROOT. */
  readonly root: string;
  /** BUNKER_STATE. */
  readonly state: string;
  /** On top of PATH, HOME and the two above; nothing of the test's own environment is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** [30 s] */
  readonly timeoutMs?: number;
}

/** Runs `bunker ARGS…` until both of its outputs are at their end. */
export function runBunker(args: readonly string[], options: BunkerOptions): Promise<PipedResult> {
  const { program = "dist/bunker", wrapper = [], root, state, env, cwd, stdin, timeoutMs } = options;
  const words = options.executable === undefined ? programs[program] : [options.executable];
  return runPiped([...wrapper, ...words, ...args], {
    env: {
      PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: process.env["HOME"] ?? "/",
      BUNKER_ROOT: root,
      BUNKER_STATE: state,
      ...env,
    },
    ...(cwd === undefined ? {} : { cwd }),
    ...(stdin === undefined ? {} : { stdin }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}
