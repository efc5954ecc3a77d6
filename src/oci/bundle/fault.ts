/** What is wrong in a config.json: where, what, and which clause of the runtime specification says so. */

import { BunkerError } from "../../errors.ts";

/** Most faults that are kept of one document, so that a hostile one cannot fill memory with complaints. */
export const FAULTS_MAX = 100;

/** One fault of a configuration. */
export interface Fault {
  /** `linux.resources.memory.limit`, `mounts[2].destination`; empty for the whole document. */
  readonly path: string;
  readonly message: string;
  /** Clause of the specification: `config-linux.md#memory`. */
  readonly section: string;
}

/** A configuration that cannot be honoured; the message is the line of its first fault. */
export class ConfigError extends BunkerError {
  readonly code = "CONFIG_INVALID";
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[], cause?: unknown) {
    const more = faults.length - 1;
    super(`${faults[0] === undefined ? "" : formatFault(faults[0])}${more > 0 ? `, and ${more} more` : ""}`, {
      cause,
      ...(more > 0 ? { hint: 'Run "bunker oci check" on the bundle to see every fault.' } : {}),
    });
    this.faults = faults;
  }
}

/** `linux.resources.memory.limit: expected … (runtime-spec config-linux.md#memory)` */
export function formatFault({ path, message, section }: Fault): string {
  return `${path === "" ? "config.json" : path}: ${message} (runtime-spec ${section})`;
}

/** Collects faults while a document is walked. */
export class Faults {
  readonly list: Fault[] = [];

  add(fault: Fault): void {
    if (this.list.length < FAULTS_MAX) this.list.push(fault);
  }

  /** Whether something at or below `path` is known to be wrong. */
  has(path: string): boolean {
    return this.list.some(
      (fault) =>
        fault.path.startsWith(path) &&
        (fault.path.length === path.length || /[.[]/.test(fault.path.charAt(path.length))),
    );
  }
}
