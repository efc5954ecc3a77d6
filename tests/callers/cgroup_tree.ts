/**
 * The control groups of a {@link CallerHost}: one directory in each hierarchy of the machine, which is the root of the
 * hierarchy as the host sees it, by its cgroup namespace.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";

const CGROUPS = "/sys/fs/cgroup";
/** Followed by the pid of the process that tests, and a number. */
const PREFIX = "callers-of-bunker-";
const REMOVE_MS_MAX = 30_000;
const POLL_MS = 30;
/** Processes of a host with version 2 alone: a group with controllers for others holds none itself. */
const LEAF = "init";

interface Hierarchy {
  /** Where it is mounted. */
  readonly path: string;
  /** Options that mount it again; undefined for version 2. */
  readonly options?: string;
}

let count = 0;

/** The directories, made by the constructor. */
export class CgroupTree {
  readonly #name = `${PREFIX}${process.pid}-${++count}`;
  readonly #hierarchies: readonly Hierarchy[];
  readonly #pure: boolean;

  /** @param options.unified whether the host sees the hierarchy of version 2 beside those of version 1 */
  constructor({ unified }: { readonly unified: boolean }) {
    const all = findHierarchies();
    this.#pure = all.every(({ options }) => options === undefined);
    this.#hierarchies = all.filter(({ options }) => unified || this.#pure || options !== undefined);
    for (const { path } of all) removeStale(path);
    for (const { path } of this.#hierarchies) mkdirSync(`${path}/${this.#name}`);
  }

  /** Files that a process writes its number to, to be in the host's groups. */
  get procs(): readonly string[] {
    return this.#roots().map((root) => `${root}/${this.#pure ? `${LEAF}/` : ""}cgroup.procs`);
  }

  /** Where the hierarchies are mounted, in the host as on the machine. */
  get mounts(): readonly string[] {
    return this.#hierarchies.map(({ path }) => path);
  }

  /** Shell commands that put the shell into the roots, before it makes the cgroup namespace. */
  joinCommands(): readonly string[] {
    const cpuset = this.#roots().filter((root) => existsSync(`${root}/cpuset.mems`) && !this.#pure);
    return [
      ...cpuset.flatMap((root) =>
        ["cpuset.cpus", "cpuset.mems"].map((file) => `cat ${root}/../${file} > ${root}/${file}`),
      ),
      ...this.#roots().map((root) => `echo $$ > ${root}/cgroup.procs`),
    ];
  }

  /** Shell commands that mount the hierarchies again, in the host. */
  mountCommands(): readonly string[] {
    if (this.#pure) {
      return [
        `mount -t cgroup2 cgroup2 ${CGROUPS}`,
        `mkdir ${CGROUPS}/${LEAF}`,
        `echo 0 > ${CGROUPS}/${LEAF}/cgroup.procs`,
        `sed 's/[a-z]*/+&/g' ${CGROUPS}/cgroup.controllers > ${CGROUPS}/cgroup.subtree_control`,
      ];
    }
    return [
      `mount -t tmpfs -o mode=755 cgroup ${CGROUPS}`,
      ...this.#hierarchies.flatMap(({ path, options }) => [
        `mkdir ${path}`,
        options === undefined
          ? `mount -t cgroup2 cgroup2 ${path}`
          : `mount -t cgroup -o ${options} cgroup ${path}`,
      ]),
    ];
  }

  /** Pids of all processes in the host, as this process sees them. */
  processes(): readonly number[] {
    const [root] = this.#roots();
    const texts = [root ?? "", ...below(root ?? "")].map((path) => readText(`${path}/cgroup.procs`));
    return texts.flatMap((text) => text.split("\n").filter(Boolean).map(Number));
  }

  /** Directories that were made in the host, named as they are there. */
  directories(): readonly string[] {
    return this.#roots().flatMap((root) => below(root).map((path) => path.replace(`/${this.#name}/`, "/")));
  }

  /** Removes all, once the processes have ended. @throws {Error} when they do not */
  async remove(): Promise<void> {
    const end = Date.now() + REMOVE_MS_MAX;
    for (;;) {
      const left = this.#roots().filter((root) => !removeAll(root));
      if (left.length === 0) return;
      if (Date.now() > end) throw new Error(`not empty: ${left.join(", ")}`);
      await Bun.sleep(POLL_MS);
    }
  }

  #roots(): readonly string[] {
    return this.#hierarchies.map(({ path }) => `${path}/${this.#name}`);
  }
}

/** What a test that was killed has left behind. */
function removeStale(hierarchy: string): void {
  for (const name of readdirSync(hierarchy).filter((each) => each.startsWith(PREFIX))) {
    if (!existsSync(`/proc/${name.slice(PREFIX.length).split("-")[0]}`)) removeAll(`${hierarchy}/${name}`);
  }
}

function findHierarchies(): readonly Hierarchy[] {
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  return mounts.flatMap((line): Hierarchy[] => {
    const [, path = "", type, options = ""] = line.split(" ");
    if (!path.startsWith(CGROUPS)) return [];
    if (type === "cgroup2") return [{ path }];
    if (type !== "cgroup") return [];
    const own = options.split(",").filter((word) => /^(name=.*|[a-z_]+)$/.test(word) && !GENERAL.has(word));
    const named = own.every((word) => word.startsWith("name="));
    return [{ path, options: [...(named ? ["none"] : []), ...own].join(",") }];
  });
}

/** Mount options that name no controller. */
const GENERAL = new Set([
  "rw",
  "ro",
  "relatime",
  "noatime",
  "nosuid",
  "nodev",
  "noexec",
  "clone_children",
  "xattr",
]);

/** Descendants, the deepest first. */
function below(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return entries.flatMap(({ name }) => [...below(`${path}/${name}`), `${path}/${name}`]);
  } catch {
    // It has gone meanwhile.
    return [];
  }
}

function removeAll(path: string): boolean {
  try {
    for (const each of [...below(path), path]) rmdirSync(each);
    return true;
  } catch {
    return !existsSync(path);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
