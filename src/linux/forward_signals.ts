/**
 * Passes signals on to a container without waking JavaScript: while the engine waits for the container it is inside
 * waitid(2), so its handlers are a few steps run by the machine code of machine.ts. Whichever thread receives the
 * signal, it goes on at once, and nothing can be lost between a look and a sleep.
 */
import { TIOCGWINSZ, TIOCSWINSZ } from "./abi/tty.ts";
import { SIGINT, SIGKILL, SIGWINCH } from "./abi/sched.ts";
import { call } from "./call.ts";
import { encodeProgram } from "./encode.ts";
import { entryAddress, handlerPage, machine } from "./machine.ts";
import { allocatePages } from "./memory.ts";
import { Program } from "./program.ts";
import type { Label } from "./step.ts";

/** The third SIGINT ends a container that ignores it, as with docker. */
const FORCING_INTERRUPT = 3;
/**
 * Signals that are passed on: not those of faults (4-8, 11, 31), of job control (18-22), SIGKILL and SIGSTOP, which
 * cannot be caught, SIGPIPE, SIGCHLD, SIGURG and SIGWINCH, which mean this process, nor 30, 32 and 33, which Bun's
 * engine and the C library use.
 */
export const forwardedSignals: readonly number[] = [
  1, 2, 3, 10, 12, 14, 15, 16, 24, 25, 26, 27, 29,
  ...Array.from({ length: 31 }, (_, index) => 34 + index),
];

const SA_RESTART = 0x10000000;
const SA_RESTORER = 0x04000000;
const PAGES_SIZE = 32768;

/** Forwards to the process of `pidfd` until this process ends. */
export function forwardSignals(pidfd: number): void {
  install(forwardedSignals, (program, signal) => {
    program.pidfd_send_signal(pidfd, signal).ignoreErrors();
    if (signal === SIGINT) planForcingInterrupt(program, pidfd);
  });
}

/** Gives the terminal `master` the size of `terminal`, now and whenever that changes. */
export function followWindowSize(terminal: number, master: number): void {
  const size = new Uint8Array(new ArrayBuffer(8));
  call("ioctl", terminal, TIOCGWINSZ, size);
  call("ioctl", master, TIOCSWINSZ, size);
  install([SIGWINCH], (program) => {
    const room = program.room(8);
    program.ioctl(terminal, TIOCGWINSZ, room).ignoreErrors();
    program.ioctl(master, TIOCSWINSZ, room).ignoreErrors();
  });
}

function planForcingInterrupt(program: Program, pidfd: number): void {
  const counter = program.variable("interrupts");
  const force = program.label();
  const done = program.label();
  // The variable's first use is the argument of the step that sets it: it counts.
  program.add(counter, 1).into(counter);
  program.add(counter, 0, FORCING_INTERRUPT).onZero(force);
  program.jump(done);
  program.place(force).pidfd_send_signal(pidfd, SIGKILL).ignoreErrors();
  program.place(done);
}

/** Makes the steps that `plan` adds the handler of each signal. */
function install(signals: readonly number[], plan: (program: Program, signal: number) => void): void {
  const program = new Program();
  const starts = new Map<number, Label>();
  for (const signal of signals) {
    const start = program.label();
    program.place(start);
    plan(program, signal);
    program.returns();
    starts.set(signal, start);
  }
  program.place(program.giveUp).returns();
  const pages = allocatePages(PAGES_SIZE);
  const encoded = encodeProgram(program, pages.address);
  pages.bytes.set(encoded.bytes);
  const table = new DataView(handlerPage.bytes.buffer, handlerPage.bytes.byteOffset + handlerPage.tableOffset);
  for (const [signal, start] of starts) {
    table.setBigUint64(8 * signal, BigInt(encoded.addressOfLabel(start)), true);
    call("rt_sigaction", signal, handlerAction(), null, 8);
  }
}

/** struct sigaction of the kernel: handler, flags, restorer, mask; 64 bits each. */
function handlerAction(): Uint8Array {
  const restorer = machine.entry.restorer === 0 ? 0 : entryAddress("restorer");
  const words = [entryAddress("handler"), SA_RESTART | (restorer === 0 ? 0 : SA_RESTORER), restorer, 0];
  return new Uint8Array(BigUint64Array.from(words, BigInt).buffer);
}
