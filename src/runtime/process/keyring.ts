/**
 * A session keyring of the container's own, so that it does not hold its caller's keys: keyctl(2), session-keyring(7).
 */
import { ENOSYS, EPERM } from "../../linux/abi/errno.ts";
import type { Program } from "../../linux/program.ts";
import { keyringName } from "./keyring_name.ts";
import { type LabelHost, planKeyLabel } from "./labels.ts";

const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEYCTL_SETPERM = 5;
/** What the kernel gives a session keyring (0x3f130000), and the user's right to search it, as runc adds. */
const PERMISSIONS = 0x3f1b_0000;

/** Whose keyring it is. */
export interface KeyringPlan extends LabelHost {
  /** Of the container. */
  readonly id: string;
  /** SELinux label of the keyring; "" for none. */
  readonly label: string;
}

/**
 * Joins the session keyring `_ses.ID`, which is made where it is missing, so that `exec` joins its container's. A
 * kernel without keyrings, and a sandbox that forbids keyctl(2) to everything in it, have nothing to keep apart.
 */
export function planSessionKeyring(program: Program, { id, label, ...host }: KeyringPlan): void {
  const done = program.label();
  const failed = program.label();
  planKeyLabel(program, label, host);
  program.section("join the session keyring of the container");
  const keyring = program
    .step("keyctl", KEYCTL_JOIN_SESSION_KEYRING, program.slot("keyring", keyringName(id)))
    .onError(failed).result;
  program.step("keyctl", KEYCTL_SETPERM, keyring, PERMISSIONS).onSuccess(done);
  program.place(failed).whenErrno(ENOSYS, done);
  program.whenErrno(EPERM, done);
  program.jump(program.giveUp);
  program.place(done);
}
