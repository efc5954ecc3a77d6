/** Parses `--security-opt`. What cannot be had is refused with a reason, since a silent "no" would be unsafe. */
import { UsageError } from "../../errors.ts";
import { resolveHostPath } from "./host_path.ts";
import type { RunOptions } from "./run_options.ts";

/** What one `--security-opt` changes. */
export type SecurityChange = Partial<Pick<RunOptions, "noNewPrivileges" | "seccomp" | "unmaskedPaths">>;

/**
 * One security option: `name`, `name=value`, or docker's older `name:value`.
 * @throws {SyntaxError} for a wrong value, @throws {UsageError} for what is not supported.
 */
export function parseSecurityOpt(text: string): SecurityChange {
  const separator = text.search(/[=:]/);
  const name = separator === -1 ? text : text.slice(0, separator);
  const value = separator === -1 ? undefined : text.slice(separator + 1);
  switch (name) {
    case "no-new-privileges":
      return { noNewPrivileges: parseTruth(value) };
    case "seccomp":
      return { seccomp: parseSeccomp(value) };
    case "systempaths":
      if (value === "unconfined") return { unmaskedPaths: true };
      throw new SyntaxError(`Cannot use "${text}": expected systempaths=unconfined`);
    case "apparmor":
    case "label":
      return refuseLabels(name, value);
    default:
      throw new SyntaxError(
        `Cannot use security option "${name}": expected seccomp, no-new-privileges or systempaths`,
      );
  }
}

function parseTruth(value: string | undefined): boolean {
  if (value === undefined || value === "true") return true;
  if (value === "false") return false;
  throw new SyntaxError(`Cannot use no-new-privileges "${value}": expected true or false`);
}

/** A profile's path becomes absolute, so that a file called "default" is never taken for the word. */
function parseSeccomp(value: string | undefined): string {
  if (value === undefined || value === "") throw new SyntaxError("Cannot use seccomp: it has no profile");
  if (value === "unconfined") return "unconfined";
  return value === "builtin" ? "default" : resolveHostPath(value);
}

function refuseLabels(name: "apparmor" | "label", value: string | undefined): SecurityChange {
  const off = name === "apparmor" ? "unconfined" : "disable";
  if (value === off) return {};
  const system = name === "apparmor" ? "AppArmor profiles" : "SELinux labels";
  throw new UsageError(`Cannot use "${name}=${value ?? ""}": ${system} are not supported yet`, {
    hint: `Leave it out, or write ${name}=${off}`,
  });
}
