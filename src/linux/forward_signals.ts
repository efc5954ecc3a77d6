/**
 * Passes signals on to a container without waking JavaScript: while the engine waits for the container it is inside
 * waitid(2), so the handler is machine code (machine_x86_64.ts, `forward`). Whichever thread receives the signal, it
 * goes on at once by pidfd_send_signal(2), and nothing can be lost between a look and a sleep. Three signals take steps
 * of their own instead: SIGINT, which is counted, SIGWINCH and SIGHUP, which mean the terminal.
 */
import { numbers } from "./abi/numbers.ts";
import { SIGHUP, SIGINT, SIGKILL, SIGWINCH } from "./abi/sched.ts";
import { TIOCGWINSZ, TIOCSWINSZ } from "./abi/tty.ts";
import { call } from "./call.ts";
import { encodeProgram } from "./encode.ts";
import { architecture, entryAddress, handlerPage, machine, syscall6 } from "./machine.ts";
import { allocatePages } from "./memory.ts";
import { Program } from "./program.ts";

/** The third SIGINT ends a container that ignores it, as with docker. */
const FORCING_INTERRUPT = 3;
/**
 * Signals that are passed on: not those of faults (4-8, 11, 31), of job control (18-22), SIGKILL and SIGSTOP, which
 * cannot be caught, SIGPIPE, SIGCHLD, SIGURG and SIGWINCH, which mean this process, nor 30, 32 and 33, which Bun's
 * engine and the C library use.
 */
export const forwardedSignals: readonly number[] = [
  1,
  2,
  3,
  10,
  12,
  14,
  15,
  16,
  24,
  25,
  26,
  27,
  29,
  ...Array.from({ length: 31 }, (_, index) => 34 + index),
];

const SA_RESTART = 0x10000000;
const SA_RESTORER = 0x04000000;
const PAGES_SIZE = 8192;

/** Forwards to the process of `pidfd` until this process ends. */
export function forwardSignals(pidfd: number): void {
  const page = new DataView(handlerPage.bytes.buffer, handlerPage.bytes.byteOffset);
  page.setInt32(handlerPage.pidfdOffset, pidfd, true);
  const counting = new Program();
  const counter = counting.variable("interrupts");
  const force = counting.label();
  counting.pidfd_send_signal(pidfd, SIGINT).ignoreErrors();
  // The variable's first use is the argument of the step that sets it: it counts.
  counting.add(counter, 1).into(counter);
  counting.add(counter, 0, FORCING_INTERRUPT).onZero(force);
  counting.returns();
  counting.place(force).pidfd_send_signal(pidfd, SIGKILL).ignoreErrors();
  setSteps(SIGINT, counting);
  const action = handlerAction();
  const nr = numbers.rt_sigaction[architecture] as number;
  for (const signal of forwardedSignals) syscall6(nr, signal, action, null, 8, 0, 0);
}

/**
 * When this process's terminal goes away (SIGHUP), passes that on and takes the container's terminal away too: every
 * holder of its master lets go. A shell that is PID 1 has no handler, so the signal alone would not end it.
 */
export function hangUpWith(pidfd: number, master: number, pumpPidfds: readonly number[]): void {
  const program = new Program();
  program.pidfd_send_signal(pidfd, SIGHUP).ignoreErrors();
  program.close(master).ignoreErrors();
  for (const pump of pumpPidfds) program.pidfd_send_signal(pump, SIGKILL).ignoreErrors();
  setSteps(SIGHUP, program);
}

/** Gives the terminal `master` the size of `terminal`, now and whenever that changes. */
export function followWindowSize(terminal: number, master: number): void {
  copyWindowSize(terminal, master);
  const program = new Program();
  const room = program.room(8);
  program.ioctl(terminal, TIOCGWINSZ, room).ignoreErrors();
  program.ioctl(master, TIOCSWINSZ, room).ignoreErrors();
  setSteps(SIGWINCH, program);
  call("rt_sigaction", SIGWINCH, handlerAction(), null, 8);
  // What changed before there was a handler told nobody.
  copyWindowSize(terminal, master);
}

/** Copies the size until it is what it was: the handler may have set a newer one in between. */
function copyWindowSize(terminal: number, master: number): void {
  const [size, later] = [new Uint8Array(new ArrayBuffer(8)), new Uint8Array(new ArrayBuffer(8))];
  do {
    call("ioctl", terminal, TIOCGWINSZ, size);
    call("ioctl", master, TIOCSWINSZ, size);
    call("ioctl", terminal, TIOCGWINSZ, later);
  } while (!Bun.deepEquals(size, later));
}

/** Makes the program what the handler does for a signal. */
function setSteps(signal: number, program: Program): void {
  program.returns();
  program.place(program.giveUp).returns();
  const pages = allocatePages(PAGES_SIZE);
  pages.bytes.set(encodeProgram(program, pages.address).bytes);
  const page = new DataView(handlerPage.bytes.buffer, handlerPage.bytes.byteOffset);
  page.setBigUint64(handlerPage.tableOffset + 8 * signal, BigInt(pages.address), true);
}

/** struct sigaction of the kernel: handler, flags, restorer, mask; 64 bits each. */
function handlerAction(): Uint8Array {
  const view = new DataView(new ArrayBuffer(32));
  const restorer = machine.entry.restorer === 0 ? 0 : entryAddress("restorer");
  view.setBigUint64(0, BigInt(entryAddress("handler")), true);
  view.setBigUint64(8, BigInt(SA_RESTART | (restorer === 0 ? 0 : SA_RESTORER)), true);
  view.setBigUint64(16, BigInt(restorer), true);
  return new Uint8Array(view.buffer);
}
