/**
 * Between the user's terminal and the container's: raw mode, window size, and two pumps. The user's terminal gets its
 * settings back whatever happens: at the end by this process, and when this process is killed, by the input's pump.
 *
 *     terminal ──▶ input pump ──▶ master ⇄ the container's terminal
 *     terminal ◀── output pump ◀── master
 */
import { TCGETS, TCSETS, TERMIOS_SIZE } from "../linux/abi/tty.ts";
import { call, callRaw } from "../linux/call.ts";
import { followWindowSize, hangUpWith } from "../linux/forward_signals.ts";
import { awaitPump, startPump, stopPump } from "./pump.ts";
import { rawSettings } from "./termios.ts";

/** A relay at work; disposed of after the container has ended. */
export interface TerminalRelay {
  /** Lets out what was written until the container's process has ended, stops the input, restores the terminal. */
  finish(): void;
}

/** What is relayed. */
export interface RelayOptions {
  /** The container's process. */
  readonly pidfd: number;
  /** Without it nothing is read. */
  readonly input: boolean;
}

/** Relays between this process's standard streams and `master`. */
export function relayTerminal(master: number, { pidfd, input }: RelayOptions): TerminalRelay {
  const settings = input ? terminalSettings(0) : undefined;
  const terminal = [0, 1, 2].find((fd) => terminalSettings(fd) !== undefined);
  if (terminal !== undefined) followWindowSize(terminal, master);
  const enginePidfd = call("pidfd_open", process.pid, 0);
  const guard = settings === undefined ? {} : { guard: { enginePidfd, settings } };
  const keyboard = input ? startPump({ from: 0, to: master, ...guard }) : undefined;
  if (settings !== undefined) call("ioctl", 0, TCSETS, rawSettings(settings));
  // The last: who reads what the command says may type at once, and the terminal would echo it, and end this process at Ctrl-C.
  const output = startPump({ from: master, to: 1, until: pidfd });
  const pumps = keyboard === undefined ? [output] : [output, keyboard];
  hangUpWith(
    pidfd,
    master,
    pumps.map((pump) => pump.pidfd),
  );
  return {
    finish: () => {
      // EBADF after a SIGHUP, which has closed it; and the terminal may be gone.
      callRaw("close", master);
      awaitPump(output);
      if (keyboard !== undefined) stopPump(keyboard);
      if (settings !== undefined) callRaw("ioctl", 0, TCSETS, settings);
      call("close", enginePidfd);
    },
  };
}

/** struct termios of a terminal; undefined when `fd` is none. */
function terminalSettings(fd: number): Uint8Array | undefined {
  const settings = new Uint8Array(new ArrayBuffer(TERMIOS_SIZE));
  return callRaw("ioctl", fd, TCGETS, settings) < 0 ? undefined : settings;
}
