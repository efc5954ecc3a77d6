/** The caller's side of --console-socket and --pidfd-socket: takes what a runtime sends, and says what it is or gets. */
import { existsSync } from "node:fs";

const RECEIVER = new URL("descriptor_receiver.py", import.meta.url).pathname;
const PAUSE_MS = 2;
const LISTEN_MS_MAX = 30_000;

/** What listens at a socket until its terminal is closed. */
export interface ConsoleReceiver extends AsyncDisposable {
  /** Everything that was written to the terminal, once its other side is closed by all; `NAME PID` of a pidfd. */
  output(): Promise<string>;
}

/** Listens at `path`. @throws {Error} when it cannot */
export async function receiveConsole(path: string): Promise<ConsoleReceiver> {
  const child = Bun.spawn(["python3", RECEIVER, path], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  for (const end = Date.now() + LISTEN_MS_MAX; !existsSync(path); await Bun.sleep(PAUSE_MS)) {
    if (Date.now() > end) throw new Error(`Nothing listens at "${path}": ${await child.stderr.text()}`);
  }
  return {
    output: () => child.stdout.text(),
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
