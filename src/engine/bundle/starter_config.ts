/**
 * The configuration that `spec` writes: a shell on a terminal in a read-only root, with namespaces of its own, few
 * capabilities, and what procfs and sysfs give away hidden. A start to edit, in runc's shape.
 */
import { MASKED_PATHS, READONLY_PATHS } from "../../runtime/security/paths.ts";
import { RUNTIME_SPEC_VERSION } from "./runtime_spec.ts";

/** Name of the file in a bundle. */
export const CONFIG_FILE = "config.json";

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

interface StarterMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

/** Who will run the bundle; undefined: root. */
export interface StarterUser {
  readonly uid: number;
  readonly gid: number;
}

/** The configuration; for an ordinary user one with a user namespace in which only that user is mapped. */
export function starterConfig(user: StarterUser | undefined): object {
  return {
    ociVersion: RUNTIME_SPEC_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "bunker",
    mounts: mountsFor(user),
    linux: {
      ...(user === undefined ? limitsOfRoot : mappingsOf(user)),
      namespaces: namespacesFor(user).map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}

const limitsOfRoot = { resources: { devices: [{ allow: false, access: "rwm" }] } };

const mappingsOf = ({ uid, gid }: StarterUser): object => ({
  uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
  gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
});

/** An ordinary user's container keeps the host's network, which it could not configure. */
function namespacesFor(user: StarterUser | undefined): readonly string[] {
  const own = ["pid", "ipc", "uts", "mount", "cgroup"];
  return user === undefined ? [...own, "network"] : [...own, "user"];
}

const SAFE = ["nosuid", "noexec", "nodev"];

function mountsFor(user: StarterUser | undefined): readonly StarterMount[] {
  const terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: SAFE },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      // The group tty is not mapped into an ordinary user's namespace.
      options: user === undefined ? [...terminals, "gid=5"] : terminals,
    },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...SAFE, "mode=1777", "size=65536k"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: SAFE },
    sysfsFor(user),
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...SAFE, "relatime", "ro"],
    },
  ];
}

/** Mounting sysfs needs the network namespace to be the container's own. */
function sysfsFor(user: StarterUser | undefined): StarterMount {
  if (user === undefined)
    return { destination: "/sys", type: "sysfs", source: "sysfs", options: [...SAFE, "ro"] };
  return { destination: "/sys", type: "none", source: "/sys", options: ["rbind", ...SAFE, "ro"] };
}
