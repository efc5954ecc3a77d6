/**
 * Questions of a program to the engine while it is under way: one letter over the socket between them, then it waits for
 * one byte. A closed socket is no answer: the engine has ended, and the program gives up.
 */
import type { Program } from "../linux/program.ts";

/** What a program can ask for. */
export const requests = {
  /** Write the maps of the user namespace that has been made. */
  m: "map users",
  /** Put the process into its control group. */
  c: "join the control group",
  /** Write the offsets of the time namespace. */
  o: "set clocks",
  /** Namespaces and mounts exist: run hooks of the runtime, move network devices. */
  h: "run hooks of the runtime",
  /** The container is complete; it runs its command after this. */
  s: "report that the container is ready",
} as const;

/** A letter of {@link requests}. */
export type Request = keyof typeof requests;

/** Asks, and waits for the answer. */
export function ask(program: Program, socket: number, letter: Request): void {
  program.section(requests[letter]);
  program.write(socket, letter, 1);
  program.read(socket, program.room(8), 1).onZero(program.giveUp);
}
