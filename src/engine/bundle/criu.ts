/** Where criu is, the program that writes processes to files and makes them from files again. */
import { accessSync, constants } from "node:fs";
import { RuntimeError } from "./context.ts";

/** Where distributions keep it; PATH is the caller's and not asked. */
const PROGRAMS = ["/usr/sbin/criu", "/usr/bin/criu", "/usr/local/sbin/criu", "/usr/local/bin/criu"] as const;

/** Path of criu; undefined where it is not installed. */
export function findCriu(): string | undefined {
  return PROGRAMS.find(isExecutable);
}

/** Path of criu: `named`, or where it is installed. @throws {RuntimeError} where it is not. */
export function getCriu(named: string | undefined): string {
  if (named !== undefined && !named.startsWith("/")) {
    throw new RuntimeError(`Cannot use "${named}" as criu: expected an absolute path`);
  }
  const path = named ?? findCriu();
  if (path !== undefined && isExecutable(path)) return path;
  throw new RuntimeError("Cannot find the program criu", { hint: "Install the package criu" });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Missing or not for us: the same here.
    return false;
  }
}
