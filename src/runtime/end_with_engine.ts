/** A half-made container must not outlive the engine that makes it: PR_SET_PDEATHSIG of prctl(2). */
import { PR_SET_PDEATHSIG, SIGKILL } from "../linux/abi/sched.ts";
import type { Program } from "../linux/program.ts";

/** From here on the kernel kills the program when the engine ends; it gives up if the engine has ended already. */
export function planEndWithEngine(program: Program, socket: number): void {
  program.section("end with the engine").prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The signal does not come for an engine that has ended before: then its end of the socket is closed.
  // struct pollfd without events, which POLLHUP needs none of; struct timespec of zero.
  program.step("ppoll", program.words(socket), 1, program.words(0, 0), null, 0).onPositive(program.giveUp);
}

/** The same once more: becoming another user has cleared it (prctl(2)). */
export function planStillEndWithEngine(program: Program): void {
  program.section("end with the engine").prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/** The container is complete, and from here on lives by itself. */
export function planOutliveEngine(program: Program): void {
  program.section("outlive the engine").prctl(PR_SET_PDEATHSIG, 0);
}
