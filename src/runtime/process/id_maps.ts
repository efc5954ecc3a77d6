/**
 * Id maps of a user namespace: user_namespaces(7). A range of subordinate ids (subuid(5)) takes newuidmap(1), which
 * is setuid; the own id alone can be mapped without it, and then setgroups(2) must be given up.
 */
import { BunkerError } from "../../errors.ts";
import { exists, writeSmallFile } from "../../linux/small_file.ts";
import type { IdMapping, Linux } from "../spec/config.ts";

/** The maps of a user namespace cannot be written. */
export class IdMapError extends BunkerError {
  readonly code = "ID_MAP";
}

/** Where newuidmap and newgidmap are looked for: never by PATH, which the caller's environment decides. */
const helperDirectories = ["/usr/bin", "/bin", "/usr/local/bin"];

/** Path of newuidmap or newgidmap; undefined when it is not installed. */
export const findMapHelper = (name: "newuidmap" | "newgidmap"): string | undefined =>
  helperDirectories.map((directory) => `${directory}/${name}`).find((path) => exists(path));

/** Both maps of a user namespace. */
export type IdMappings = Pick<Linux, "uidMappings" | "gidMappings">;

/** Writes both maps of process `pid`. @throws {IdMapError} when the kernel or the helper refuses. */
export function writeIdMaps(pid: number, { uidMappings, gidMappings }: IdMappings): void {
  const single = uidMappings.length === 1 && uidMappings[0]?.size === 1;
  const root = process.geteuid?.() === 0;
  try {
    // Root needs neither subordinate ids nor the programs that check them.
    if (single || root) {
      if (!root) writeSmallFile(`/proc/${pid}/setgroups`, "deny");
      writeSmallFile(`/proc/${pid}/uid_map`, mapText(uidMappings));
      writeSmallFile(`/proc/${pid}/gid_map`, mapText(gidMappings));
    } else {
      runHelper("newuidmap", pid, uidMappings);
      runHelper("newgidmap", pid, gidMappings);
    }
  } catch (error) {
    throw new IdMapError(`Cannot map users into the container: ${(error as Error).message}`, {
      cause: error,
      hint: "Check /etc/subuid and /etc/subgid, and that the package uidmap is installed",
    });
  }
}

const mapText = (mappings: readonly IdMapping[]): string =>
  mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");

function runHelper(name: "newuidmap" | "newgidmap", pid: number, mappings: readonly IdMapping[]): void {
  const path = findMapHelper(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  const numbers = mappings.flatMap(({ containerID, hostID, size }) =>
    [containerID, hostID, size].map(String),
  );
  const { exitCode, stderr } = Bun.spawnSync([path, String(pid), ...numbers], { env: {}, stderr: "pipe" });
  if (exitCode !== 0) throw new Error(stderr.toString().trim() || `${name} exits with ${exitCode}`);
}
