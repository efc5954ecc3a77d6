/** Names of containers: one component of a path, the rule of runc. */
import { RuntimeError } from "./context.ts";

/** Longest id: it becomes the name of a directory (NAME_MAX of limits.h). */
const ID_LENGTH_MAX = 255;

/** @throws {RuntimeError} unless `id` is letters, digits, `_`, `+`, `-`, and `.` but not first. */
export function checkId(id: string): string {
  const valid = /^[\w+-][\w+.-]*$/.test(id);
  if (!valid)
    throw new RuntimeError("invalid container ID format", { hint: "Use letters, digits and _ + - ." });
  if (id.length > ID_LENGTH_MAX) {
    throw new RuntimeError(`invalid container ID format: longer than ${ID_LENGTH_MAX} characters`);
  }
  return id;
}
