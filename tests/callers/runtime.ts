/**
 * The runtime that the callers are given: bunker under the name `bunker-oci`, or with `RUNTIME=crun`, `RUNTIME=runc` or
 * `RUNTIME=/a/path` another one, which shows that a row tests the runtime and not the machine.
 */
import { symlinkSync } from "node:fs";
import { basename } from "node:path";
import { executable, type Need } from "../helpers/requires.ts";

const wanted = process.env["RUNTIME"] ?? "";

/** Debian keeps runc in /usr/sbin. */
const PATH = `${process.env["PATH"]}:/usr/local/sbin:/usr/sbin:/sbin`;

/** `bunker`, `crun`, `runc`, or the name of the file that RUNTIME gives. */
export const runtimeName = wanted === "" ? "bunker" : basename(wanted);

/** What the machine must have for it. */
export const runtimeNeeds: readonly Need[] = wanted === "" ? ["the executable"] : [`program ${wanted}`];

/** Puts the runtime into a directory. @returns the path for callers: bunker goes by the name it is called by */
export function installRuntime(directory: string): string {
  if (wanted !== "") return Bun.which(wanted, { PATH }) ?? wanted;
  const path = `${directory}/bunker-oci`;
  symlinkSync(executable, path);
  return path;
}
