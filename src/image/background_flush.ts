/**
 * Writes to the disk what a pull unpacks while it goes on, so that the flush at its end, the only one that counts, waits for
 * little: creating 30,000 files leaves it a third of a second of work. A process of system calls does it, since syncfs(2)
 * blocks whoever calls it; it ends with this one.
 */
import { availableParallelism } from "node:os";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../linux/abi/fcntl.ts";
import { SIGKILL } from "../linux/abi/sched.ts";
import { callRaw } from "../linux/call.ts";
import { Fd, openat } from "../linux/file.ts";
import type { Program } from "../linux/program.ts";

/** Compressed bytes from which a pull takes long enough. */
const BYTES_MIN = 8 << 20;
const PAUSE_NS = 100_000_000;

const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };

/**
 * Begins to flush the file system of `root` again and again, when `bytes` are worth it and a processor may be free.
 * @param programFile path for an executable, where none may be executed from memory; the caller removes it
 * @returns what ends it, and waits for that
 */
export async function flushMeanwhile(root: string, bytes: number, programFile: string): Promise<Disposable> {
  if (bytes < BYTES_MIN || availableParallelism() === 1) return NOTHING;
  const { executableOf, finishProgram, inheritedFd, programWithReport, spawnProgram } = await import(
    "../linux/spawn.ts"
  );
  const { waitForExit } = await import("../linux/wait.ts");
  using directory = new Fd(openat(AT_FDCWD, root, { flags: O_RDONLY | O_DIRECTORY }));
  const program = programWithReport();
  planFlushes(program, inheritedFd(0));
  try {
    const options = { namespaces: 0, inherit: [directory.number], programFile, endsWithEngine: true };
    const started = spawnProgram(executableOf(finishProgram(program)), options);
    return {
      [Symbol.dispose]: () => {
        callRaw("pidfd_send_signal", started.pidfd, SIGKILL, null, 0);
        waitForExit(started.pidfd);
        started.release();
      },
    };
  } catch {
    // Where no process can be made, all is left to the flush at the end.
    return NOTHING;
  }
}

function planFlushes(program: Program, fd: number): void {
  const again = program.label();
  program.place(again).section("write to the disk what has been unpacked");
  program.step("nanosleep", program.words(0, PAUSE_NS), 0);
  program.step("syncfs", fd);
  program.jump(again);
}
