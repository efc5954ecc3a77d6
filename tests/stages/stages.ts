/**
 * The six stages of the "build your own Docker" challenge, as its test program runs and judges them: three pipes, stdin
 * closed, ten seconds until both outputs are at their end, and every comparison exact where that one's is.
 */
import { describe, expect } from "bun:test";
import { alpineDirectories } from "../helpers/alpine_image.ts";
import type { PipedResult } from "../helpers/pipes.ts";

/** What a stage needs to run. */
export interface Stage {
  /** Path of the stand-in program, where bunker runs. */
  readonly explorer: string;
  /** A directory of the place where bunker runs, made before the run: `/tmp/NUMBER`. */
  readonly hiddenDirectory: string;
  /** Runs bunker where no registry can be reached. */
  offline(args: readonly string[]): Promise<PipedResult>;
  /** Runs bunker with the test's registry in place of Docker Hub. */
  online(args: readonly string[]): Promise<PipedResult>;
}

/** One stage as a test of `bun:test`; how it is prepared is the caller's. */
export type DefineStage = (name: string, body: (stage: Stage) => Promise<void>) => void;

/** The image of stages 1 to 5, which is not meant to be pulled. */
const IMAGE = "codecraftersio/docker-challenge";

export const STAGE_MS_MAX = 10_000;

/** Defines the six; stages 1 to 5 may take `runMsMax` milliseconds for each run. */
export function defineStages(define: DefineStage, runMsMax: number): void {
  const runExplorer = async (stage: Stage, ...words: readonly string[]): Promise<PipedResult> => {
    const result = await stage.offline(["run", IMAGE, stage.explorer, ...words]);
    expect(result.durationMs).toBeLessThan(runMsMax);
    return result;
  };

  describe("stage", () => {
    define("1 (je9): executes a program", async (stage) => {
      const number = randomNumber();

      const { stdout } = await runExplorer(stage, "echo", number);

      expect(stdout).toContain(number);
    });

    define("2 (kf3): wires stdout and stderr", async (stage) => {
      const [n, m] = [randomNumber(), randomNumber()];

      const out = await runExplorer(stage, "echo", n);
      const err = await runExplorer(stage, "echo_stderr", m);

      expect(out.stdout).toBe(`${n}\n`);
      expect(err.stderr).toBe(`${m}\n`);
      // Beyond the challenge: nothing is said on the other one either.
      expect([out.stderr, err.stdout]).toEqual(["", ""]);
    });

    define("3 (cn8): hands on the exit code", async (stage) => {
      const exitCode = Math.floor(Math.random() * 30);

      const result = await runExplorer(stage, "exit", String(exitCode));

      expect(result).toMatchObject({ exitCode, signal: null, stdout: "", stderr: "" });
    });

    define("4 (if6): isolates the file system", async (stage) => {
      const result = await runExplorer(stage, "ls", stage.hiddenDirectory);

      expect(result.stdout).toContain("No such file or directory");
      expect(result.exitCode).toBe(2);
    });

    define("5 (lu7): isolates processes", async (stage) => {
      const { stdout } = await runExplorer(stage, "mypid");

      expect(stdout).toBe("1\n");
    });

    define("6 (hs1): fetches an image from a registry", async (stage) => {
      const result = await stage.online(["run", "alpine", "/bin/sh", "-c", "/bin/ls /"]);

      expect(result.stdout).toBe(`${alpineDirectories.join("\n")}\n`);
      expect(result.exitCode).toBe(0);
    });
  });
}

/** A number as the challenge's test program draws it: 0 to 99998. */
export function randomNumber(): string {
  return String(Math.floor(Math.random() * 99_999));
}
