/**
 * /dev: a tmpfs of our own with the default devices, links, a pseudo-terminal filesystem, shared memory and message
 * queues (config-linux.md#default-devices). Nothing of the image's /dev is used.
 */
import {
  AT_FDCWD,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
} from "../../linux/abi/fcntl.ts";
import { OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import { makedev } from "../../linux/file.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import type { Device } from "../spec/config.ts";
import { attach, planFilesystem } from "./mounts.ts";
import { openRealDirectory } from "./target.ts";

/** Links that every /dev has (runtime-linux.md#dev-symbolic-links). */
export const deviceLinks: ReadonlyArray<readonly [name: string, target: string]> = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["ptmx", "pts/ptmx"],
];

/** What decides how /dev is made. */
export interface DevicesPlan {
  readonly devices: readonly Device[];
  /** In a user namespace mknod(2) is refused: the host's nodes are mounted instead. */
  readonly bindFromHost: boolean;
  /** Group of new terminals, `tty`; undefined where no group 5 is mapped. */
  readonly ttyGid: number | undefined;
}

const typeOf = ({ type }: Device): number => (type === "b" ? S_IFBLK : S_IFCHR);

/** Makes /dev. @returns a descriptor of it. */
export function planDev(program: Program, root: Variable, plan: DevicesPlan): Variable {
  program.section("make /dev");
  const dev = planFilesystem(program, {
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
  });
  attach(program, dev, openRealDirectory(program, root, "/dev").result);
  for (const device of plan.devices) planDevice(program, dev, { device, bindFromHost: plan.bindFromHost });
  for (const [name, target] of deviceLinks) program.symlinkat(target, dev, name);
  for (const name of ["pts", "shm", "mqueue"]) program.mkdirat(dev, name, 0o755);
  planPseudoTerminals(program, dev, plan.ttyGid);
  planDevMount(program, dev, { name: "shm", type: "tmpfs", options: ["mode=1777", "size=65536k"] });
  planDevMount(program, dev, { name: "mqueue", type: "mqueue", options: [] });
  return dev;
}

/**
 * Makes device nodes in a /dev that is no filesystem of ours: where mount(2) is refused. It has to be a directory of the
 * root, since a link of the image would lead out of it (CVE-2026-41579).
 */
export function planDevNodes(program: Program, root: Variable, devices: readonly Device[]): void {
  program.section("make device nodes");
  const dev = openRealDirectory(program, root, "/dev").result;
  for (const device of devices) {
    const name = device.path.replace("/dev/", "");
    // A directory of the image's /dev could be such a link too.
    if (!name.includes("/")) planDevNode(program, dev, { device, name });
  }
}

/** Where mknod(2) is refused, an empty file does for /dev/null: programs open it to have three descriptors. */
function planDevNode(
  program: Program,
  dev: Variable,
  { device, name }: { readonly device: Device; readonly name: string },
): void {
  const done = program.label();
  program.unlinkat(dev, name).ignoreErrors();
  const mode = typeOf(device) | device.fileMode;
  program.mknodat(dev, name, mode, makedev(device.major, device.minor)).ignoreErrors().onSuccess(done);
  if (name === "null") {
    const flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
    program.close(program.openat(dev, name, flags, 0o666).onError(done).result);
  }
  program.place(done);
}

function planDevice(
  program: Program,
  dev: Variable,
  { device, bindFromHost }: { readonly device: Device; readonly bindFromHost: boolean },
): void {
  const name = device.path.replace("/dev/", "");
  if (!bindFromHost) {
    program.mknodat(dev, name, typeOf(device) | device.fileMode, makedev(device.major, device.minor));
    return;
  }
  const node = program.open_tree(AT_FDCWD, device.path, OPEN_TREE_CLONE).result;
  program.close(program.openat(dev, name, O_CREAT | O_WRONLY, 0o666).result);
  attach(program, node, program.openat(dev, name, O_PATH).result);
}

function planPseudoTerminals(program: Program, dev: Variable, ttyGid: number | undefined): void {
  const options = ["newinstance", "ptmxmode=0666", "mode=0620"];
  if (ttyGid !== undefined) options.push(`gid=${ttyGid}`);
  planDevMount(program, dev, { name: "pts", type: "devpts", options });
}

function planDevMount(
  program: Program,
  dev: Variable,
  {
    name,
    type,
    options,
  }: { readonly name: string; readonly type: string; readonly options: readonly string[] },
): void {
  const hardened = ["nosuid", "noexec", ...(type === "devpts" ? [] : ["nodev"]), ...options];
  const skip = program.label();
  const target = program.openat(dev, name, O_PATH | O_DIRECTORY).result;
  const filesystem = planFilesystem(program, { type, source: type, options: hardened }, skip);
  attach(program, filesystem, target);
  program.place(skip);
}
