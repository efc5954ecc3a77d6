/** Reads a seccomp profile that the user names: docker's JSON form. */
import { readFileSync, statSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { parseSeccompText, type SeccompProfile } from "../runtime/security/seccomp_profile.ts";

/** Largest profile that is read; docker's default has 20 KB. */
const PROFILE_SIZE_MAX = 1 << 20;

/** @throws {UsageError} when the file cannot be read or is no profile. */
export function readSeccompProfile(path: string): SeccompProfile {
  try {
    if (statSync(path).size > PROFILE_SIZE_MAX)
      throw new RangeError("Cannot read a profile of more than 1 MiB");
    return parseSeccompText(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UsageError(`Cannot use the seccomp profile "${path}"`, {
      cause: error,
      hint: "Give a profile in docker's JSON form, or --security-opt seccomp=unconfined",
    });
  }
}
