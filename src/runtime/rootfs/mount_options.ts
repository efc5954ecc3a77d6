/**
 * Options of a mount in config.json (config.md#linux-mount-options), as a table: which MOUNT_ATTR_* bits each sets and
 * clears, of the mount alone or of all below it; propagation; flags of the superblock; and what is bunker's to do.
 * The rest is the filesystem's own `key=value`.
 */
import {
  MOUNT_ATTR_ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_I_VERSION,
  MS_POSIXACL,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from "../../linux/abi/mount.ts";

/** Bits that are set and cleared together: MOUNT_ATTR_* in the fields of struct mount_attr. */
export interface AttributeChange {
  readonly set: number;
  readonly clear: number;
}

const sets = (set: number, clear = 0): AttributeChange => ({ set, clear });
const clears = (clear: number): AttributeChange => ({ set: 0, clear });

/** Each also exists with an `r` before it: for the mount and all below it. */
const attributes: Readonly<Record<string, AttributeChange>> = {
  ro: sets(MOUNT_ATTR_RDONLY),
  rw: clears(MOUNT_ATTR_RDONLY),
  nosuid: sets(MOUNT_ATTR_NOSUID),
  suid: clears(MOUNT_ATTR_NOSUID),
  nodev: sets(MOUNT_ATTR_NODEV),
  dev: clears(MOUNT_ATTR_NODEV),
  noexec: sets(MOUNT_ATTR_NOEXEC),
  exec: clears(MOUNT_ATTR_NOEXEC),
  nosymfollow: sets(MOUNT_ATTR_NOSYMFOLLOW),
  symfollow: clears(MOUNT_ATTR_NOSYMFOLLOW),
  nodiratime: sets(MOUNT_ATTR_NODIRATIME),
  diratime: clears(MOUNT_ATTR_NODIRATIME),
  // All bits clear: relatime, the kernel's default.
  relatime: clears(MOUNT_ATTR_ATIME),
  norelatime: clears(MOUNT_ATTR_ATIME),
  atime: clears(MOUNT_ATTR_ATIME),
  nostrictatime: clears(MOUNT_ATTR_ATIME),
  noatime: sets(MOUNT_ATTR_NOATIME, MOUNT_ATTR_ATIME),
  strictatime: sets(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_ATIME),
};

const propagations: Readonly<Record<string, number>> = {
  private: MS_PRIVATE,
  slave: MS_SLAVE,
  shared: MS_SHARED,
  unbindable: MS_UNBINDABLE,
};

/** Flags of the superblock that fsconfig(2) knows by the same name; of no meaning for a bind mount. */
const superblockFlags = new Set(["sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime"]);

/** Flags that only mount(2) can pass. */
const classicFlags: Readonly<Record<string, AttributeChange>> = {
  iversion: sets(MS_I_VERSION),
  noiversion: clears(MS_I_VERSION),
  acl: sets(MS_POSIXACL),
  noacl: clears(MS_POSIXACL),
};

/** What bunker itself does about a mount. */
const actions = [
  "bind",
  "rbind",
  "remount",
  "tmpcopyup",
  "idmap",
  "ridmap",
  "copy-symlink",
  "src-nofollow",
  "dest-nofollow",
] as const;

/** An option that asks for more than flags; the last three are crun's. */
export type MountAction = (typeof actions)[number];

/** Options without an effect: the default, or what only the kernel's log would show. */
const neutral = new Set(["defaults", "silent", "loud"]);

/** Names of all options that are no data of a filesystem, sorted: `features`. */
export const mountOptionNames = (): readonly string[] =>
  [
    ...Object.keys(attributes).flatMap((name) => [name, `r${name}`]),
    ...Object.keys(propagations).flatMap((name) => [name, `r${name}`]),
    ...superblockFlags,
    ...Object.keys(classicFlags),
    ...actions,
    ...neutral,
  ].sort();

/** Parsed options of one mount. */
export interface MountOptions {
  /** MOUNT_ATTR_* bits of the mount. */
  readonly attributes: number;
  /** MOUNT_ATTR_* bits that it must not have. */
  readonly cleared: number;
  /** The same for the mount and all below it; undefined: nothing asked. */
  readonly recursive: AttributeChange | undefined;
  readonly propagation: { readonly type: number; readonly recursive: boolean } | undefined;
  readonly superblock: readonly string[];
  /** MS_* flags that only mount(2) passes. */
  readonly classic: number;
  readonly actions: ReadonlySet<MountAction>;
  /** For fsconfig(2): `[key, value]`, without a value for flags. */
  readonly data: ReadonlyArray<readonly [key: string, value: string | undefined]>;
}

/** Parses options; what is no known flag belongs to the filesystem. Of options that contradict the last one counts. */
export function parseMountOptions(options: readonly string[] = []): MountOptions {
  let own = sets(0);
  let below: AttributeChange | undefined;
  let classic = sets(0);
  let propagation: MountOptions["propagation"];
  const superblock: string[] = [];
  const data: Array<readonly [string, string | undefined]> = [];
  const found = new Set<MountAction>();
  for (const option of options) {
    const rest = option.startsWith("r") ? option.slice(1) : "";
    if (Object.hasOwn(attributes, option)) own = merge(own, attributes[option]);
    else if (Object.hasOwn(attributes, rest)) below = merge(below ?? sets(0), attributes[rest]);
    else if (Object.hasOwn(propagations, option))
      propagation = { type: propagations[option] as number, recursive: false };
    else if (Object.hasOwn(propagations, rest))
      propagation = { type: propagations[rest] as number, recursive: true };
    else if (superblockFlags.has(option)) superblock.push(option);
    else if (Object.hasOwn(classicFlags, option)) classic = merge(classic, classicFlags[option]);
    else if (isAction(option)) found.add(option);
    else if (!neutral.has(option)) data.push(...splitData(option));
  }
  return {
    attributes: own.set,
    cleared: own.clear,
    recursive: below,
    propagation,
    superblock,
    classic: classic.set,
    actions: found,
    data,
  };
}

const merge = (before: AttributeChange, { set, clear } = sets(0)): AttributeChange => ({
  set: (before.set & ~clear) | set,
  clear: (before.clear & ~set) | clear,
});

const isAction = (option: string): option is MountAction => (actions as readonly string[]).includes(option);

/** mount(8) takes several in one string, so some configurations have them so: `"size=1m,mode=755"`. */
function splitData(option: string): Array<readonly [string, string | undefined]> {
  if (!option.includes(",")) return [splitOnce(option)];
  // Not at a comma that is escaped or in quotes: layers of an overlay, contexts of SELinux.
  const parts = option.match(/(?:\\.|"[^"]*"|[^,\\"])+/g) ?? [];
  return parts.map(splitOnce);
}

function splitOnce(option: string): readonly [string, string | undefined] {
  const at = option.indexOf("=");
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}
