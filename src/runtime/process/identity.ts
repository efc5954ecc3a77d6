/**
 * Where in the report page the parent puts what it looked up in the container's /etc/passwd and /etc/group while the
 * program waits: user, groups, and the environment entry HOME.
 */
import { report } from "../../linux/program_core.ts";

/** Most supplementary groups that a user may have here; the kernel's own bound is 65536. */
export const GROUPS_MAX = 256;
/** Longest `HOME=…` in bytes, NUL included. */
export const HOME_SIZE_MAX = 1024;

/** Offsets into the report page. */
export const identityLayout = {
  uid: report.values,
  gid: report.values + 8,
  groupCount: report.values + 16,
  groups: report.values + 64,
  home: report.values + 64 + GROUPS_MAX * 4,
} as const;

/** A user as the container's own files have it. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Home directory. */
  readonly home: string;
}

/** Writes the home directory alone; one that does not fit is "/", as one that the container does not know. */
export function writeHome(page: Uint8Array, home: string): void {
  const entry = new TextEncoder().encode(`HOME=${home}\0`);
  page.set(entry.length > HOME_SIZE_MAX ? new TextEncoder().encode("HOME=/\0") : entry, identityLayout.home);
}

/** Writes the identity for the waiting program. @throws {RangeError} when it does not fit. */
export function writeIdentity(page: Uint8Array, identity: Identity): void {
  const groups = [...new Set([identity.gid, ...identity.additionalGids])];
  const home = new TextEncoder().encode(`HOME=${identity.home}\0`);
  if (groups.length > GROUPS_MAX) {
    throw new RangeError(`Cannot give the user ${groups.length} groups: at most ${GROUPS_MAX} are supported`);
  }
  if (home.length > HOME_SIZE_MAX)
    throw new RangeError(`Cannot use a home directory of ${home.length} bytes`);
  const view = new DataView(page.buffer, page.byteOffset);
  view.setUint32(identityLayout.uid, identity.uid, true);
  view.setUint32(identityLayout.gid, identity.gid, true);
  view.setUint32(identityLayout.groupCount, groups.length, true);
  for (const [index, gid] of groups.entries()) view.setUint32(identityLayout.groups + 4 * index, gid, true);
  page.set(home, identityLayout.home);
}

/** Whether the engine has to look up the home directory. */
export const lacksHome = (env: readonly string[] = []): boolean =>
  !env.some((entry) => entry.startsWith("HOME="));
