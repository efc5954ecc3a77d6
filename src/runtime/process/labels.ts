/**
 * Labels of security modules that hold from execve(2) on: AppArmor's profile and SELinux's label, written to
 * /proc/self/attr through a private procfs and read back (CVE-2019-16884, CVE-2025-52881).
 */
import { EXDEV } from "../../linux/abi/errno.ts";
import { O_RDWR, O_WRONLY } from "../../linux/abi/fcntl.ts";
import type { Program } from "../../linux/program.ts";
import { exists, readSmallText } from "../../linux/small_file.ts";
import type { Variable } from "../../linux/step.ts";
import { openInProc, planCompare } from "./private_proc.ts";
import { refuse } from "./refusal.ts";

/** Which modules the kernel runs. */
export interface SecurityModules {
  readonly apparmor: boolean;
  readonly selinux: boolean;
}

/** Asks the kernel; to be called only when a label is asked for. */
export const readSecurityModules = (): SecurityModules => ({
  apparmor: readSmallText("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") === true,
  selinux: exists("/sys/fs/selinux/enforce"),
});

/** Longest label that is read back: labels are shorter than a page. */
const LABEL_SIZE_MAX = 4096;

/** What a label needs. */
export interface LabelHost {
  /** From planPrivateProc(). */
  readonly proc: Variable;
  readonly modules: SecurityModules;
}

/** Confines the command by an AppArmor profile: apparmor(7), aa_change_onexec(3). */
export function planAppArmor(program: Program, profile: string, { proc, modules }: LabelHost): void {
  if (profile === "") return;
  if (!modules.apparmor) {
    if (profile === "unconfined") return;
    const field = { path: "process.apparmorProfile", section: "config.md#linux-process" };
    refuse(field, `"${profile}" cannot be applied: AppArmor is not enabled on this host`);
  }
  const opened = program.label();
  const missing = program.label();
  const file = program.section(`apply the AppArmor profile "${profile}"`).variable("attr");
  openInProc(program, { proc, path: "self/attr/apparmor/exec" }, O_RDWR)
    .into(file)
    .onSuccess(opened)
    .onError(missing);
  // Before Linux 5.8 AppArmor shares the files with the other modules.
  program.place(missing);
  openInProc(program, { proc, path: "self/attr/exec" }, O_RDWR).into(file);
  program.place(opened);
  planLabel(program, file, { written: `exec ${profile}`, readBack: profile });
}

/** Gives the command a SELinux label, and `keycreate` the same to keys that are made from here on. */
export function planSelinux(program: Program, label: string, { proc, modules }: LabelHost): void {
  if (!hasSelinux(label, modules)) return;
  program.section(`set the SELinux label "${label}"`);
  const file = openInProc(program, { proc, path: "self/attr/exec" }, O_RDWR).result;
  planLabel(program, file, { written: label, readBack: label });
}

/** Gives the keys that are made from here on a SELinux label; to be called before the session keyring is made. */
export function planKeyLabel(program: Program, label: string, { proc, modules }: LabelHost): void {
  if (!hasSelinux(label, modules)) return;
  program.section(`label keys "${label}"`);
  const file = openInProc(program, { proc, path: "self/attr/keycreate" }, O_WRONLY).result;
  program.write(file, label, Buffer.byteLength(label));
  program.close(file);
}

function hasSelinux(label: string, { selinux }: SecurityModules): boolean {
  if (label === "") return false;
  if (!selinux) {
    const field = { path: "process.selinuxLabel", section: "config.md#linux-process" };
    refuse(field, `"${label}" cannot be applied: SELinux is not enabled on this host`);
  }
  return true;
}

interface Label {
  readonly written: string;
  readonly readBack: string;
}

/** The kernel answers EINVAL or ENOENT for a label that it does not know. */
function planLabel(program: Program, file: Variable, { written, readBack }: Label): void {
  program.write(file, written, Buffer.byteLength(written));
  // A profile of another namespace, or one of several, is shown under another name.
  const expected = /[:&]/.test(readBack) ? new Uint8Array() : new TextEncoder().encode(readBack);
  const room = program.room(LABEL_SIZE_MAX + 8);
  const other = program.label();
  const done = program.label();
  program.step("pread64", file, room, LABEL_SIZE_MAX, 0).onZero(other);
  planCompare(program, room, { expected, otherwise: other });
  program.jump(done);
  program.place(other).fail(EXDEV);
  program.place(done).close(file);
}
