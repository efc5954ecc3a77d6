/** What goes on in the foreground while a command runs: signals and the terminal are passed on, then its status is read. */

import { call } from "../../linux/call.ts";
import { forwardSignals } from "../../linux/forward_signals.ts";
import { receiveMessage } from "../../linux/socket_pair.ts";
import { waitForExit } from "../../linux/wait.ts";
import { ProgramEndedError, type StartedBundle } from "../../runtime/bundle_start.ts";
import { type FailedProcess, programError } from "./start_error.ts";

/** A signal's share of a status, as in a shell. */
const SIGNAL_STATUS = 128;

/** Waits for the command, which is a child of this process. @returns its status: 0 to 255. */
export async function superviseCommand({
  pidfd,
  master,
}: Pick<StartedBundle, "pidfd" | "master">): Promise<number> {
  forwardSignals(pidfd);
  const relay = master === undefined ? undefined : await relayOf(master, pidfd);
  const exit = waitForExit(pidfd);
  relay?.finish();
  return "code" in exit ? exit.code : SIGNAL_STATUS + exit.signal;
}

async function relayOf(master: number, pidfd: number) {
  const { relayTerminal } = await import("../../runtime/terminal_relay.ts");
  return relayTerminal(master, { pidfd, input: true });
}

/**
 * Waits until the command is executed: the program's end of the socket closes then.
 * @throws {RuntimeError} when it cannot be.
 */
export async function awaitCommand(started: StartedBundle, process: FailedProcess): Promise<void> {
  receiveMessage(started.socket);
  const failure = await started.failure();
  if (failure === undefined) return;
  const { bytes } = started.page;
  throw programError(new ProgramEndedError(waitForExit(started.pidfd), failure, bytes), process);
}

/** Closes what belongs to a command that is left to itself. */
export function letGo({ pidfd, master, socket }: StartedBundle): void {
  if (master !== undefined) call("close", master);
  call("close", socket);
  call("close", pidfd);
}
