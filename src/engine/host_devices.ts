/** The host's devices, for privileged containers: what lies directly in /dev. */
import { lstatSync, readdirSync } from "node:fs";
import type { Device } from "../runtime/spec/config.ts";

/** Every character and block device of /dev but terminals of the caller's session. */
export function hostDevices(): Device[] {
  return readdirSync("/dev").flatMap((name) => {
    const stat = lstatSync(`/dev/${name}`, { throwIfNoEntry: false });
    if (stat === undefined || name === "console" || name === "ptmx") return [];
    if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return [];
    const type = stat.isBlockDevice() ? ("b" as const) : ("c" as const);
    return [{ path: `/dev/${name}`, type, ...splitDevice(stat.rdev), fileMode: stat.mode & 0o777 }];
  });
}

/** dev_t as stat(2) gives it: makedev(3). */
const splitDevice = (device: number): { major: number; minor: number } => ({
  major: (device >>> 8) & 0xfff,
  minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
});
