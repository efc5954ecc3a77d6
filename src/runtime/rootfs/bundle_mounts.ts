/**
 * The mounts of a bundle's config.json, in their order (config.md#mounts). Sources of the host are opened before the
 * root is there, so that no mount of the container decides what a path of the host means; each filesystem gets its
 * attributes while it is attached nowhere.
 */

import { UsageError } from "../../errors.ts";
import { AT_FDCWD, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW } from "../../linux/abi/fcntl.ts";
import { MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE } from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import type { Mount, RuntimeConfig } from "../../oci/bundle/config.ts";
import { planCgroupMount } from "./bundle_cgroup.ts";
import type { BundleRootHost, PreparedMount } from "./bundle_host.ts";
import { checkDestination, checkMount } from "./bundle_rules.ts";
import { planHostSys } from "./kernel_filesystems.ts";
import { needsString, planByString } from "./mount_by_string.ts";
import { type MountOptions, parseMountOptions } from "./mount_options.ts";
import { type NewFilesystem, planDetached, setAttributes } from "./mounts.ts";
import { absoluteSource, cleanPath, isRecursive } from "./paths.ts";
import { type Assembly, openPlace, planAttach } from "./place.ts";
import { planRemount, planSymlink } from "./remount.ts";

/** A mount of config.json with what has been decided about it. */
export interface BundleMount {
  readonly mount: Mount;
  readonly kind: "bind" | "cgroup" | "remount" | "symlink" | "filesystem";
  readonly type: string;
  readonly source: string;
  /** Absolute and clean. */
  readonly destination: string;
  readonly options: MountOptions;
  readonly prepared: PreparedMount;
}

/** The mounts as they will be made. @throws {UsageError} for one that must not or cannot be made. */
export function decideMounts(config: RuntimeConfig, host: BundleRootHost): readonly BundleMount[] {
  return (config.mounts ?? []).map((mount) => decideMount(mount, { config, host }));
}

function decideMount(
  mount: Mount,
  { config, host }: { readonly config: RuntimeConfig; readonly host: BundleRootHost },
): BundleMount {
  const prepared = host.mounts.get(mount) ?? {};
  const plain = parseMountOptions(withMode(mount, prepared));
  const bind = plain.actions.has("bind") || plain.actions.has("rbind") || mount.type === "bind";
  const type = bind ? "bind" : (mount.type ?? "");
  const options = withLabel(plain, { type, label: config.linux?.mountLabel ?? "", selinux: host.selinux });
  const decided: BundleMount = {
    mount,
    kind: kindOf(type, { options, prepared }),
    type,
    source: bind ? absoluteSource(host.bundle, mount.source ?? "") : (mount.source ?? type),
    destination: prepared.destination ?? cleanPath(mount.destination),
    options,
    prepared,
  };
  checkMount(decided);
  checkDestination(decided);
  return decided;
}

function kindOf(
  type: string,
  { options, prepared }: { readonly options: MountOptions; readonly prepared: PreparedMount },
): BundleMount["kind"] {
  if (options.actions.has("remount")) return "remount";
  if (prepared.link !== undefined) return "symlink";
  if (type === "bind") return "bind";
  return type === "cgroup" || type === "cgroup2" ? "cgroup" : "filesystem";
}

/** A tmpfs has the permissions of what it covers, unless it is told others. */
function withMode({ type, options = [] }: Mount, { mode }: PreparedMount): readonly string[] {
  return type === "tmpfs" && mode !== undefined ? [`mode=${mode}`, ...options] : options;
}

/** Filesystems with labels of their own or none; what is bound keeps what it has. */
const UNLABELLED = new Set(["proc", "sysfs", "cgroup", "cgroup2", "mqueue", "bind"]);

/** `context=` of SELinux (mount(8)) with the label of the configuration. */
function withLabel(
  options: MountOptions,
  { type, label, selinux }: { readonly type: string; readonly label: string; readonly selinux: boolean },
): MountOptions {
  if (label === "") return options;
  if (!selinux) throw new UsageError(`Cannot honour linux.mountLabel: SELinux is not enabled on this host`);
  return UNLABELLED.has(type) ? options : { ...options, data: [...options.data, ["context", label]] };
}

/** Opens the host's side of bind mounts. @returns by mount, a detached copy */
export function planSources(program: Program, mounts: readonly BundleMount[]): Map<BundleMount, Variable> {
  const sources = new Map<BundleMount, Variable>();
  for (const bind of mounts) {
    if (bind.kind !== "bind") continue;
    program.section(`open "${bind.source}", which is to be mounted on "${bind.destination}"`);
    const { fd } = bind.prepared;
    sources.set(bind, fd === undefined ? openSource(program, bind) : program.add(fd, 0).result);
  }
  return sources;
}

function openSource(program: Program, { mount, options, source }: BundleMount): Variable {
  const nofollow = options.actions.has("src-nofollow") ? AT_SYMLINK_NOFOLLOW : 0;
  const flags = OPEN_TREE_CLONE | (isRecursive(mount) ? AT_RECURSIVE : 0) | nofollow;
  return program.open_tree(AT_FDCWD, source, flags).result;
}

/** What the mounts are made with. */
export interface MountsPlan {
  readonly assembly: Assembly;
  readonly sources: ReadonlyMap<BundleMount, Variable>;
  readonly host: BundleRootHost;
}

/** Makes the mounts. @returns those that become read-only when all is in place */
export function planMounts(
  program: Program,
  mounts: readonly BundleMount[],
  plan: MountsPlan,
): readonly Variable[] {
  const late: Variable[] = [];
  for (const decided of mounts) {
    program.section(`mount ${nameOf(decided)} on "${decided.destination}"`);
    const mount = planMount(program, decided, plan);
    if (mount !== undefined && isLate(decided)) late.push(mount);
  }
  return late;
}

const nameOf = ({ kind, type, source }: BundleMount): string => (kind === "bind" ? `"${source}"` : type);

/** Something may have to be made in them: devices, targets of later mounts, what hooks add. */
const isLate = ({ kind, type, destination, options }: BundleMount): boolean =>
  kind !== "remount" &&
  (options.attributes & MOUNT_ATTR_RDONLY) !== 0 &&
  (type === "tmpfs" || destination === "/dev");

function planMount(program: Program, decided: BundleMount, plan: MountsPlan): Variable | undefined {
  const { assembly, sources, host } = plan;
  const source = sources.get(decided);
  if (source !== undefined) return planBindMount(program, decided, { assembly, source });
  if (decided.kind === "remount")
    planRemount(program, decided, openPlace(program, assembly, placeOf(decided)));
  else if (decided.kind === "symlink") planSymlink(program, decided, assembly);
  else if (decided.kind === "cgroup") planCgroupMount(program, decided, { assembly, view: host.cgroup });
  else return planNewMount(program, decided, plan);
  return undefined;
}

const placeOf = ({ destination, options, prepared }: BundleMount) => ({
  path: destination,
  kind: prepared.sourceIsDirectory === false ? ("file" as const) : ("directory" as const),
  nofollow: options.actions.has("dest-nofollow"),
});

function planBindMount(
  program: Program,
  decided: BundleMount,
  { assembly, source }: { readonly assembly: Assembly; readonly source: Variable },
): Variable {
  planAttributes(program, source, decided);
  planAttach(program, { mount: source, type: "bind" }, { assembly, place: placeOf(decided) });
  return source;
}

/** Sets attributes and propagation of a detached mount: in one step where both concern the same mounts. */
function planAttributes(program: Program, mount: Variable, decided: BundleMount): void {
  const { recursive, propagation } = decided.options;
  // A new filesystem has been made with its attributes.
  const bind = decided.kind === "bind";
  const attributes = bind ? earlyAttributes(decided) : 0;
  const cleared = bind ? decided.options.cleared : 0;
  const type = propagation?.type ?? 0;
  const together = propagation === undefined || !propagation.recursive;
  if (attributes !== 0 || cleared !== 0 || (together && type !== 0))
    setAttributes(program, mount, {
      attributes,
      cleared,
      propagation: together ? type : 0,
      recursive: false,
    });
  if (recursive !== undefined || !together)
    setAttributes(program, mount, {
      attributes: recursive?.set ?? 0,
      cleared: recursive?.clear ?? 0,
      propagation: together ? 0 : type,
      recursive: true,
    });
}

const earlyAttributes = (decided: BundleMount): number =>
  decided.options.attributes & ~(isLate(decided) ? MOUNT_ATTR_RDONLY : 0);

/** Filesystems whose superblock several mounts share, or that are written to before they become read-only. */
const MOUNT_ONLY = new Set(["proc", "sysfs", "mqueue", "devpts", "tmpfs"]);

function planNewMount(
  program: Program,
  decided: BundleMount,
  { assembly, host }: MountsPlan,
): Variable | undefined {
  const { type, source } = decided;
  const attributes = earlyAttributes(decided);
  const readonly = (attributes & MOUNT_ATTR_RDONLY) !== 0 && !MOUNT_ONLY.has(type);
  const superblock = readonly ? ["ro", ...decided.options.superblock] : decided.options.superblock;
  const options = { ...decided.options, attributes, superblock };
  const place = placeOf(decided);
  if (decided.prepared.fd !== undefined) {
    const copied = program.add(decided.prepared.fd, 0).result;
    planAttributes(program, copied, { ...decided, kind: "bind" });
    planAttach(program, { mount: copied, type: "copied" }, { assembly, place });
    return copied;
  }
  if (needsString(options)) {
    planByString(program, { type, source, options }, { assembly, place });
    return undefined;
  }
  const created = { type, source, options };
  const mount =
    type === "sysfs" && host.userNamespace ? planSysfs(program, created) : planDetached(program, created);
  planAttributes(program, mount, decided);
  planAttach(program, { mount, type }, { assembly, place });
  return mount;
}

/** Whoever does not own the network namespace cannot mount sysfs: the host's is taken, read-only. */
function planSysfs(program: Program, filesystem: NewFilesystem): Variable {
  const found = program.variable("sysfs");
  const refused = program.label();
  const done = program.label();
  program
    .add(planDetached(program, filesystem, refused), 0)
    .into(found)
    .onSuccess(done);
  program.place(refused).add(planHostSys(program), 0).into(found);
  program.place(done);
  return found;
}
