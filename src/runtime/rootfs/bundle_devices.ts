/**
 * /dev of a bundle (config-linux.md#default-devices, #devices): nodes and links, made in a descriptor of a directory
 * that was reached without a symbolic link of the image (CVE-2026-41579).
 */

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
} from "../../linux/abi/fcntl.ts";
import { STATX_BASIC_STATS, STATX_SIZE, statxOffsets } from "../../linux/abi/file.ts";
import { MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import { makedev } from "../../linux/file.ts";
import type { Program } from "../../linux/program.ts";
import type { Label, Variable } from "../../linux/step.ts";
import type { Device } from "../../oci/bundle/config.ts";
import { deviceLinks } from "./devices.ts";
import { cleanPath } from "./paths.ts";
import { type Assembly, openPlace, split } from "./place.ts";

const NODE_MODE = 0o666;
const character = (path: string, major: number, minor: number): Device => ({ type: "c", path, major, minor });
const defaultDevices: readonly Device[] = [
  character("/dev/null", 1, 3),
  character("/dev/zero", 1, 5),
  character("/dev/full", 1, 7),
  character("/dev/random", 1, 8),
  character("/dev/urandom", 1, 9),
  character("/dev/tty", 5, 0),
];

const typeBits: Readonly<Record<string, number>> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

/** What decides how the nodes are made. */
export interface BundleDevices {
  readonly assembly: Assembly;
  /** `linux.devices`. */
  readonly devices: readonly Device[];
  /** mknod(2) is refused: the host's nodes are mounted instead. */
  readonly bind: boolean;
}

/** Makes nodes and links. @returns a descriptor of /dev */
export function planBundleDevices(program: Program, { assembly, devices, bind }: BundleDevices): Variable {
  program.section("make the devices in /dev");
  const own = assembly.mounted.get("/dev");
  const fresh = own?.type === "tmpfs";
  const dev = fresh ? own.mount : openPlace(program, assembly, { path: "/dev", kind: "directory" });
  for (const device of merge(devices)) {
    const { directory, name } = split(device.path);
    const parent =
      directory === "/dev" ? dev : openPlace(program, assembly, { path: directory, kind: "directory" });
    const free = fresh && directory === "/dev" && !assembly.mounted.has(device.path);
    planNode(program, parent, { device, name, bind, free });
  }
  program.section("make the links in /dev");
  for (const [name, target] of deviceLinks) {
    if (fresh) {
      program.symlinkat(target, dev, name);
      continue;
    }
    if (name === "ptmx") program.unlinkat(dev, name).ignoreErrors();
    program.symlinkat(target, dev, name).ignoreErrors();
  }
  return dev;
}

/** The defaults and the configured, which replace defaults of the same path; ptmx is a link to the devpts. */
function merge(devices: readonly Device[]): readonly Device[] {
  const byPath = new Map(defaultDevices.map((device) => [device.path, device]));
  for (const device of devices)
    byPath.set(cleanPath(device.path), { ...device, path: cleanPath(device.path) });
  byPath.delete("/dev/ptmx");
  return [...byPath.values()];
}

interface NodePlan {
  readonly device: Device;
  readonly name: string;
  readonly bind: boolean;
  /** Nothing can be at the path yet. */
  readonly free: boolean;
}

function planNode(program: Program, parent: Variable, plan: NodePlan): void {
  const { device, name, bind, free } = plan;
  const { uid = 0, gid = 0, fileMode = NODE_MODE, type } = device;
  program.section(`make the device "${device.path}"`);
  if (bind && type !== "p") {
    planBoundNode(program, parent, plan);
    return;
  }
  const done = program.label();
  const mode = (typeBits[type] ?? S_IFCHR) | (fileMode & 0o7777);
  const number = type === "p" ? 0 : makedev(device.major ?? 0, device.minor ?? 0);
  if (free) program.mknodat(parent, name, mode, number);
  else planCheckedNode(program, parent, { device, name, mode, number, done });
  if (uid !== 0 || gid !== 0) program.fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW);
  program.place(done);
}

/** A node that is there already must be the same device; then it stays as it is. */
function planCheckedNode(
  program: Program,
  parent: Variable,
  {
    device,
    name,
    mode,
    number,
    done,
  }: {
    readonly device: Device;
    readonly name: string;
    readonly mode: number;
    readonly number: number;
    readonly done: Label;
  },
): void {
  const made = program.label();
  const other = program.label();
  program.mknodat(parent, name, mode, number).ignoreErrors().onSuccess(made);
  const statx = program.room(STATX_SIZE);
  program.step("statx", parent, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, statx).onError(other);
  compareNode(program, { statx, device, equal: done, other });
  // Reports what is wrong: EEXIST, or why it could not be made in the first place.
  program.place(other).mknodat(parent, name, mode, number);
  program.place(made);
}

function compareNode(
  program: Program,
  {
    statx,
    device,
    equal,
    other,
  }: {
    readonly statx: ReturnType<Program["room"]>;
    readonly device: Device;
    readonly equal: Label;
    readonly other: Label;
  },
): void {
  const type = typeBits[device.type] ?? S_IFCHR;
  // The word that ends with the 16 bits of the mode begins with the group.
  program.field(statx.at(statxOffsets.mode - 4), 32, S_IFMT, type).onPositive(other);
  const rdev = device.type === "p" ? 0 : (device.minor ?? 0) * 2 ** 32 + (device.major ?? 0);
  program.field(statx.at(statxOffsets.rdevMajor), 0, -1, rdev).onZero(equal).onPositive(other);
}

/** The host's node, if it is the device that is asked for, mounted on an empty file. */
function planBoundNode(program: Program, parent: Variable, { device, name }: NodePlan): void {
  const right = program.label();
  const wrong = program.label();
  const node = program.open_tree(AT_FDCWD, device.path, OPEN_TREE_CLONE).result;
  const statx = program.room(STATX_SIZE);
  program.step("statx", node, "", AT_EMPTY_PATH, STATX_BASIC_STATS, statx);
  compareNode(program, { statx, device, equal: right, other: wrong });
  // Not the same device: what could not be made is reported by trying.
  program
    .place(wrong)
    .mknodat(
      parent,
      name,
      (typeBits[device.type] ?? S_IFCHR) | NODE_MODE,
      makedev(device.major ?? 0, device.minor ?? 0),
    );
  program
    .place(right)
    .mknodat(parent, name, S_IFREG | NODE_MODE, 0)
    .ignoreErrors();
  program.move_mount(node, "", parent, name, MOVE_MOUNT_F_EMPTY_PATH);
}
