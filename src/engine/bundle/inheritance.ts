/**
 * The descriptors that a program inherits, under the numbers that it knows them by. Those of this process are closed when
 * the program has been started.
 */
import { call } from "../../linux/call.ts";
import { inheritedFd } from "../../linux/spawn.ts";

/** Collects descriptors; disposing of it closes them. */
export class Inheritance implements Disposable {
  readonly #fds: number[] = [];

  /** Takes over `fd`. @returns its number in the program, after the socket's. */
  add(fd: number): number {
    this.#fds.push(fd);
    return inheritedFd(this.#fds.length);
  }

  /** In the order of their numbers. */
  get fds(): readonly number[] {
    return this.#fds;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds.splice(0)) call("close", fd);
  }
}
