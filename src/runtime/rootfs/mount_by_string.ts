/**
 * mount(2) with its options as one string, for what fsconfig(2) cannot take: values of more than 255 bytes, as the
 * layers of an overlay are, and two old flags. The target is the working directory, so no path is looked up.
 */
import {
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_DIRSYNC,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
} from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { MountOptions } from "./mount_options.ts";
import type { NewFilesystem } from "./mounts.ts";
import { type Assembly, openPlace, type Place, remember } from "./place.ts";

/** fsconfig(2) takes strings of 255 bytes. */
const VALUE_SIZE_MAX = 255;

const flagsOf: ReadonlyArray<readonly [attribute: number, flag: number]> = [
  [MOUNT_ATTR_RDONLY, MS_RDONLY],
  [MOUNT_ATTR_NOSUID, MS_NOSUID],
  [MOUNT_ATTR_NODEV, MS_NODEV],
  [MOUNT_ATTR_NOEXEC, MS_NOEXEC],
  [MOUNT_ATTR_NOATIME, MS_NOATIME],
  [MOUNT_ATTR_STRICTATIME, MS_STRICTATIME],
  [MOUNT_ATTR_NODIRATIME, MS_NODIRATIME],
  [MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW],
];

const superblockFlags: Readonly<Record<string, number>> = {
  ro: MS_RDONLY,
  sync: MS_SYNCHRONOUS,
  dirsync: MS_DIRSYNC,
  mand: MS_MANDLOCK,
  lazytime: MS_LAZYTIME,
};

/** Whether only mount(2) can pass these options. */
export const needsString = ({ classic, data }: MountOptions): boolean =>
  classic !== 0 || data.some(([, value = ""]) => Buffer.byteLength(value) > VALUE_SIZE_MAX);

/** Mounts a filesystem on a directory. */
export function planByString(
  program: Program,
  { type, source, options }: NewFilesystem,
  { assembly, place }: { readonly assembly: Assembly; readonly place: Place },
): void {
  const { attributes, classic, superblock, data } = options;
  let flags = classic;
  for (const [attribute, flag] of flagsOf) if ((attributes & attribute) !== 0) flags |= flag;
  for (const name of superblock) flags |= superblockFlags[name] ?? 0;
  const text = data.map(([key, value]) => (value === undefined ? key : `${key}=${value}`)).join(",");
  program.fchdir(openPlace(program, assembly, place));
  program.mount(source, ".", type, flags, text);
  remember(assembly, place.path, { mount: openPlace(program, assembly, place), type: "string" });
}
