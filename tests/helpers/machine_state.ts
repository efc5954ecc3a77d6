/**
 * What a test may not leave behind on the machine: descriptors of this process, mounts, cgroups, processes below this one
 * and network links. Processes whose parent has gone become children of this process (PR_SET_CHILD_SUBREAPER), so that a
 * monitor or container that outlives its engine is seen, and no one else's is.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { call, callRaw } from "../../src/linux/call.ts";

/** Things by kind, each described so that a message about it can be understood. */
export type MachineState = Readonly<
  Record<"descriptors" | "mounts" | "cgroups" | "processes" | "links", readonly string[]>
>;

const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const CGROUPS = "/sys/fs/cgroup";

/** Bun's own descriptors, which come and go with timers, threads and watched processes. */
const BUN_DESCRIPTOR = /^(anon_inode:|\/dev\/(null|urandom|random)|\/proc\/|\/sys\/fs\/cgroup\/)/;

/** Makes processes below this one stay below it. */
export function adoptOrphans(): void {
  call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** What there is. */
export function readMachineState(): MachineState {
  const pids = descendants();
  return {
    descriptors: descriptors(),
    mounts: mounts(),
    cgroups: cgroups(new Set(pids)),
    processes: pids.map(describeProcess),
    links: existsSync("/sys/class/net") ? readdirSync("/sys/class/net").sort() : [],
  };
}

/** What `after` has and `before` had not, as lines; empty when nothing was left. */
export function leftBehind(before: MachineState, after: MachineState): readonly string[] {
  return (Object.keys(before) as (keyof MachineState)[]).flatMap((kind) => {
    const rest = [...before[kind]];
    return after[kind].flatMap((thing) => {
      const index = rest.indexOf(thing);
      if (index < 0) return [`${kind}: ${thing}`];
      rest.splice(index, 1);
      return [];
    });
  });
}

function descriptors(): readonly string[] {
  const targets = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor by which the directory itself was read.
      return "/proc/";
    }
  });
  return targets.filter((target) => !BUN_DESCRIPTOR.test(target));
}

/** Mount point and file system of each mount of this namespace. */
function mounts(): readonly string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [fields = "", source = ""] = line.split(" - ");
    return `${fields.split(" ")[4]} (${source})`;
  });
}

/**
 * Those that bunker makes, in the one hierarchy of version 2 or in each of version 1. One that holds processes of others is
 * that of another engine on the machine; one that is left behind is empty, or holds descendants of this process.
 */
function cgroups(own: ReadonlySet<number>): readonly string[] {
  if (!existsSync(CGROUPS)) return [];
  const hierarchies = ["", ...directoriesOf(CGROUPS).map((name) => `${name}/`)];
  const all = hierarchies.flatMap((prefix) =>
    directoriesOf(`${CGROUPS}/${prefix}`)
      .filter((name) => name.startsWith("bunker-"))
      .map((name) => `${prefix}${name}`),
  );
  return all.filter((path) => {
    const pids = readText(`${CGROUPS}/${path}/cgroup.procs`).split("\n").filter(Boolean).map(Number);
    return pids.length === 0 || pids.some((pid) => own.has(pid));
  });
}

function directoriesOf(path: string): readonly string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    // A cgroup that has gone meanwhile.
    return [];
  }
}

/** Descendants of this process; a dead child that nobody else waits for is reaped first. */
function descendants(): readonly number[] {
  const parents = new Map<number, number>();
  for (const pid of readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)) {
    const parent = parentOf(pid);
    if (parent !== undefined) parents.set(pid, parent);
  }
  const isDescendant = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) {
      if (at === process.pid) return true;
    }
    return false;
  };
  return [...parents.keys()].filter(isDescendant).filter(isAlive);
}

function parentOf(pid: number): number | undefined {
  const status = readProc(`${pid}/status`);
  const parent = /^PPid:\t(\d+)$/m.exec(status)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function isAlive(pid: number): boolean {
  if (!/^State:\tZ/m.test(readProc(`${pid}/status`))) return true;
  return callRaw("wait4", pid, null, WNOHANG, null) !== pid;
}

function describeProcess(pid: number): string {
  return `${pid} ${readProc(`${pid}/cmdline`).replaceAll("\0", " ").trim()}`;
}

const readProc = (path: string): string => readText(`/proc/${path}`);

/** Empty when the process or cgroup has ended meanwhile. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
