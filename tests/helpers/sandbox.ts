/**
 * A place for a test of the kernel: a directory with data and state of its own, bunker run with them, and at the end the
 * proof that nothing is left: on the machine, in the state, and among the containers of the data.
 *
 *     kernelTest("leaves nothing behind", ["root"], async (sandbox) => {
 *       const result = await sandbox.bunker(["run", "app", "true"]);
 *     });
 */
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { type BunkerOptions, runBunker } from "./bunker.ts";
import { adoptOrphans, leftBehind, type MachineState, readMachineState } from "./machine_state.ts";
import type { PipedResult } from "./pipes.ts";
import { type Need, testIf } from "./requires.ts";

/** How long what ends by itself may take: a dying process, the cgroup it was in. */
const SETTLE_MS_MAX = 15_000;
const SETTLE_STEP_MS = 20;

/** Directories of the data that are empty when nothing runs: containers, and what is being written. */
const TRANSIENT = ["c", "tmp"];

/** What is compiled is kept for the next container, under names that no container can have. */
const isTransient = (name: string): boolean => !name.startsWith("~");

/** A directory with data and state of its own; disposing of it fails when something was left behind. */
export class Sandbox implements AsyncDisposable {
  readonly directory = mkdtempSync(`${tmpdir()}/bunker-sandbox-`);
  readonly root = `${this.directory}/root`;
  readonly state = `${this.directory}/state`;
  readonly #before: MachineState;

  constructor() {
    adoptOrphans();
    this.#before = readMachineState();
  }

  /** Runs `bunker ARGS…` with this data and state; see {@link runBunker}. */
  bunker(args: readonly string[], options: Partial<BunkerOptions> = {}): Promise<PipedResult> {
    return runBunker(args, { root: this.root, state: this.state, ...options });
  }

  /** What the test has left behind so far, as lines, if it is not gone after `settleMs`. */
  async leftBehind(settleMs = SETTLE_MS_MAX): Promise<readonly string[]> {
    const end = Date.now() + settleMs;
    for (;;) {
      const left = [...leftBehind(this.#before, readMachineState()), ...this.#files()];
      if (left.length === 0 || Date.now() > end) return left;
      // Looking again is the only way to know.
      await Bun.sleep(SETTLE_STEP_MS);
    }
  }

  /** Removes the directory without a look at what was left behind. */
  discard(): void {
    removeTree({ dirfd: AT_FDCWD, path: this.directory });
  }

  #files(): readonly string[] {
    const directories = [...TRANSIENT.map((name) => `${this.root}/${name}`), this.state];
    return directories.flatMap((directory) =>
      existsSync(directory)
        ? readdirSync(directory)
            .filter(isTransient)
            .map((name) => `files: ${directory}/${name}`)
        : [],
    );
  }

  /** @throws {Error} that lists what was left behind; the directory is removed all the same. */
  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.leftBehind();
    this.discard();
    if (left.length > 0) throw new Error(`The test has left behind:\n${left.join("\n")}`);
  }
}

/** A test with a sandbox, skipped with a reason where a need is not met. */
export function kernelTest(
  name: string,
  needs: readonly Need[],
  body: (sandbox: Sandbox) => void | Promise<void>,
  timeoutMs?: number,
): void {
  const run = async (): Promise<void> => {
    const sandbox = new Sandbox();
    try {
      await body(sandbox);
    } catch (error) {
      // What the test itself says is to be read first; with `await using` both would be hidden in a SuppressedError.
      await sandbox[Symbol.asyncDispose]().catch(({ message }: Error) => console.error(message));
      throw error;
    }
    await sandbox[Symbol.asyncDispose]();
  };
  testIf(needs, name, run, timeoutMs);
}
