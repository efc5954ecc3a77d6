/** What criu(8) is started with, and what it says when it fails. */
import { readFileSync } from "node:fs";
import { RuntimeError } from "./context.ts";

/** criu runs tar for tmpfs, and iptables; nothing of the caller's environment reaches them. */
export const CRIU_ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Lines of the log that are shown: the first tells the cause, others follow from it. */
const ERRORS_MAX = 3;

/** The error for a criu that has failed, from its log. */
export function criuError(what: "dump" | "restore", log: string): RuntimeError {
  const errors = linesOf(log).filter((line) => /\bError \(/.test(line));
  const said = errors.slice(0, ERRORS_MAX).map((line) => line.replace(/^\([\d.]+\)\s*(?:\d+: )?/, "").trim());
  return new RuntimeError(`criu ${what} has failed${said.map((line) => `: ${line}`).join("")}`, {
    hint: `Read "${log}", and what "criu check" says of this kernel`,
  });
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    // It has failed before it had a log; its exit code alone is told.
    return [];
  }
}
