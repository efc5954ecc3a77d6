/**
 * Which control group hierarchies this machine has and where: cgroups(7). The usual layout below /sys/fs/cgroup is read
 * by listing that directory; only where it is another one, the mount table is searched, which costs the more the more
 * containers run.
 */
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../linux/abi/fcntl.ts";
import { DT_DIR } from "../../linux/abi/file.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { readDirectory, tryOpenat } from "../../linux/file.ts";
import { exists, readSmallText } from "../../linux/small_file.ts";

/** Where control groups are mounted since systemd 205 and by every container engine. */
export const CGROUP_ROOT = "/sys/fs/cgroup";

/**
 * Mount points by controller as /proc/self/cgroup names them: `memory`, `name=systemd`; version 2 is `""`. Several
 * controllers may share one.
 */
export type MountPoints = Readonly<Record<string, string>>;

/** The hierarchies of the machine. */
export type Hierarchies =
  | { readonly version: 1; readonly mounts: MountPoints }
  | { readonly version: 2; readonly root: string };

/** Looks at /sys/fs/cgroup, then at the mount table; undefined where no control groups are mounted. */
export function findHierarchies(): Hierarchies | undefined {
  if (exists(`${CGROUP_ROOT}/cgroup.controllers`)) return { version: 2, root: CGROUP_ROOT };
  return listHierarchies(CGROUP_ROOT) ?? parseCgroupMounts(readSmallText("/proc/self/mountinfo") ?? "");
}

/** A directory for each hierarchy of version 1, named after its controllers: `cpu,cpuacct`, `systemd`. */
function listHierarchies(root: string): Hierarchies | undefined {
  const fd = tryOpenat(AT_FDCWD, root, { flags: O_RDONLY | O_DIRECTORY });
  if (fd < 0) return undefined;
  try {
    const mounts: Record<string, string> = {};
    // Aliases of shared hierarchies are symbolic links, other files none.
    for (const { name, type } of readDirectory(fd)) {
      if (type !== DT_DIR || name === UNIFIED || !isHierarchy(fd, name)) continue;
      for (const controller of controllersOf(name)) mounts[controller] = `${root}/${name}`;
    }
    return Object.keys(mounts).length === 0 ? undefined : { version: 1, mounts };
  } finally {
    call("close", fd);
  }
}

/** Directory of the version 2 hierarchy beside those of version 1: it limits nothing, so it is not used. */
const UNIFIED = "unified";

const isHierarchy = (fd: number, name: string): boolean =>
  callRaw("faccessat", fd, cstr(`${name}/tasks`), 0) === 0;

/** Directories that are named otherwise than their hierarchy, which has a name instead of controllers. */
const NAMED: Readonly<Record<string, string>> = { systemd: "name=systemd", elogind: "name=elogind" };

const controllersOf = (name: string): readonly string[] => NAMED[name]?.split("\n") ?? name.split(",");

/** Mount options of version 1 that name no controller. */
const NO_CONTROLLER = /^(rw|ro|noprefix|xattr|clone_children|cpuset_v2_mode|favordynmods|release_agent=.*)$/;

/**
 * The same from the text of /proc/self/mountinfo (proc_pid_mountinfo(5)): of several mounts of one hierarchy the first
 * counts.
 */
export function parseCgroupMounts(mountinfo: string): Hierarchies | undefined {
  const mounts: Record<string, string> = {};
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const separator = line.indexOf(" - cgroup");
    if (separator < 0) continue;
    const point = unescapeOctal(line.slice(0, separator).split(" ")[4] ?? "");
    const [type, , options = ""] = line.slice(separator + 3).split(" ");
    if (type === "cgroup2") unified ??= point;
    else for (const name of options.split(",")) if (!NO_CONTROLLER.test(name)) mounts[name] ??= point;
  }
  if (Object.keys(mounts).length > 0) return { version: 1, mounts };
  return unified === undefined ? undefined : { version: 2, root: unified };
}

/** The kernel writes blanks of paths as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/**
 * The groups that a process is in, from its /proc/PID/cgroup: paths by the same names as {@link MountPoints}. Lines are
 * `4:cpu,cpuacct:/path`.
 */
export function parseCgroupFile(text: string): Readonly<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (second < 0) continue;
    for (const name of line.slice(first + 1, second).split(",")) paths[name] = line.slice(second + 1);
  }
  return paths;
}
