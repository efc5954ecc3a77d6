/**
 * Where in the report page a program says how its hook has failed, and the end of what the hook has printed. Both sides
 * of it: hook.ts plans what is written, the engine reads it.
 */
import { errnoName } from "../../linux/abi/errno.ts";
import { CLD_EXITED, SI_CODE, SI_STATUS } from "../../linux/abi/sched.ts";
import { report } from "../../linux/program_core.ts";
import { HOOK_KINDS, type HookKind } from "../../oci/bundle/config.ts";
import { HOME_SIZE_MAX, identityLayout } from "./identity.ts";

/** Offsets into the page, before and behind what identity.ts has there. The status is `report.exit`, a struct siginfo. */
export const hookLayout = {
  /** 1 and up: position of the kind in {@link HOOK_KINDS}; 0: no hook has failed. */
  kind: report.values,
  index: report.values + 8,
  /** 1 when the hook took too long. */
  timedOut: report.values + 16,
  /** What execve(2) answered, negated error number; 0 when the hook was executed. */
  execute: report.values + 24,
  /** Where the next byte of output would go, relative to `output`. */
  position: report.values + 32,
  /** 1 when the output has been longer than its place. */
  wrapped: report.values + 40,
  output: identityLayout.home + HOME_SIZE_MAX,
} as const;

/** Bytes of a hook's output that are kept: the last ones. */
export const OUTPUT_SIZE = report.size - hookLayout.output;

/** A hook that did not end well. */
export interface HookFailure {
  readonly kind: HookKind;
  readonly index: number;
  readonly outcome:
    | { readonly status: number }
    | { readonly signal: number }
    | { readonly timedOut: true }
    | { readonly errno: number };
  /** The end of what it has printed. */
  readonly output: string;
}

/** The hook whose failure a program has written down; undefined when none has failed. */
export function readHookFailure(page: Uint8Array): HookFailure | undefined {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const kind = HOOK_KINDS[view.getUint32(hookLayout.kind, true) - 1];
  if (kind === undefined) return undefined;
  return {
    kind,
    index: view.getUint32(hookLayout.index, true),
    outcome: outcomeOf(view),
    output: new TextDecoder().decode(outputOf(page, view)),
  };
}

function outcomeOf(view: DataView): HookFailure["outcome"] {
  if (view.getUint32(hookLayout.timedOut, true) !== 0) return { timedOut: true };
  const execute = view.getInt32(hookLayout.execute, true);
  if (execute < 0) return { errno: -execute };
  const status = view.getInt32(report.exit + SI_STATUS, true);
  return view.getInt32(report.exit + SI_CODE, true) === CLD_EXITED ? { status } : { signal: status };
}

function outputOf(page: Uint8Array, view: DataView): Uint8Array {
  const position = view.getUint32(hookLayout.position, true);
  const place = page.subarray(hookLayout.output, hookLayout.output + OUTPUT_SIZE);
  const recent = place.slice(0, Math.min(position, OUTPUT_SIZE));
  if (view.getUint32(hookLayout.wrapped, true) === 0) return recent;
  return Buffer.concat([place.subarray(position), recent]);
}

/** `error running createContainer hook #1: exit status 3, stderr: …`: the text that runc's callers know. */
export function formatHookFailure({ kind, index, outcome, output }: HookFailure): string {
  const shown = output.trim();
  const tail = shown === "" ? "" : `, output: ${shown}`;
  return `error running ${kind} hook #${index}: ${formatOutcome(outcome)}${tail}`;
}

function formatOutcome(outcome: HookFailure["outcome"]): string {
  if ("timedOut" in outcome) return "timed out, and was killed";
  if ("errno" in outcome) return `cannot be executed: ${errnoName(outcome.errno)}`;
  return "signal" in outcome ? `signal ${outcome.signal}` : `exit status ${outcome.status}`;
}
