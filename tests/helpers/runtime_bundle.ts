/**
 * A bundle for a runtime: a root with busybox and its applets, and a config.json from defaults that a test changes by a
 * merge patch (RFC 7396): objects are merged, arrays and values replaced, null removes.
 *
 *     const bundle = writeBundle(directory, { sh: "id -u", process: { user: { uid: 1, gid: 1 } } });
 */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { BUSYBOX } from "./alpine_image.ts";

/** A part of config.json that may hold what no specification knows. */
export type Json = { readonly [key: string]: unknown };

/** What a test wants other than the defaults: `sh` is a script that becomes the process's arguments. */
export type ConfigPatch = Json & { readonly sh?: string };

/** The mounts that every container gets. */
export const MOUNTS: readonly Json[] = [
  { destination: "/proc", type: "proc", source: "proc" },
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
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
  },
];

/** The namespaces that every container gets: the cheap ones. */
export const NAMESPACES: readonly Json[] = ["pid", "ipc", "uts", "mount"].map((type) => ({ type }));

/** Sets of the default capabilities. */
export const CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
];

/** A mapping of the ids from 0 to those of a user that nobody is. */
export const ID_MAP: readonly Json[] = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

/** config.json before a test's patch; `name` is a name for the control group. */
function defaultConfig(name: string): Json {
  const sets = ["bounding", "effective", "permitted"].map((set) => [set, CAPABILITIES]);
  return {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    process: {
      user: { uid: 0, gid: 0 },
      cwd: "/",
      args: ["/bin/true"],
      env: ["PATH=/bin"],
      capabilities: Object.fromEntries(sets),
    },
    mounts: MOUNTS,
    linux: { namespaces: NAMESPACES, cgroupsPath: `/${name}` },
  };
}

/** Writes `directory` with rootfs and config.json. @returns the configuration */
export async function writeBundle(directory: string, name: string, patch: ConfigPatch): Promise<Json> {
  mkdirSync(directory, { recursive: true });
  writeRoot(`${directory}/rootfs`);
  const config = makeConfig(name, patch);
  await Bun.write(`${directory}/config.json`, JSON.stringify(config));
  return config;
}

/** The defaults with a patch. */
export function makeConfig(name: string, { sh, ...patch }: ConfigPatch): Json {
  const script = sh === undefined ? {} : { process: { args: ["/bin/sh", "-c", sh] } };
  return merge(merge(defaultConfig(name), script), patch);
}

function merge(target: Json, patch: Json): Json {
  const result: Record<string, unknown> = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (isObject(value) && isObject(result[key])) result[key] = merge(result[key], value);
    else result[key] = value;
  }
  return result;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const DIRECTORIES = ["bin", "dev", "etc", "proc", "sys", "tmp", "srv", "var"];

/** Makes the root; its owner is this user, whatever the container's mappings are. */
function writeRoot(root: string): void {
  for (const name of DIRECTORIES) mkdirSync(`${root}/${name}`, { recursive: true });
  chmodSync(`${root}/tmp`, 0o1777);
  if (BUSYBOX === undefined) throw new Error("busybox-static is not installed");
  copyFileSync(BUSYBOX, `${root}/bin/busybox`);
  chmodSync(`${root}/bin/busybox`, 0o755);
  for (const applet of APPLETS) symlinkSync("busybox", `${root}/bin/${applet}`);
}

const APPLETS = (
  "[ awk basename cat chmod chown chrt cp cut date dd df domainname echo env false find grep head hostname id ionice ip " +
  "kill ln ls mkdir mkfifo mknod mount mv od printf ps pwd readlink rm sed seq sh sleep sort stat stty sysctl tail test " +
  "touch tr true tty ulimit umount uname unshare wc xargs"
).split(" ");
