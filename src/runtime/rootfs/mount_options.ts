/**
 * Options of a mount in config.json (config.md#linux-mount-options): flags that become MOUNT_ATTR_*, propagation,
 * and the rest, which is the filesystem's own `key=value`.
 */
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
} from "../../linux/abi/mount.ts";

const attributes: Readonly<Record<string, number>> = {
  ro: MOUNT_ATTR_RDONLY,
  nosuid: MOUNT_ATTR_NOSUID,
  nodev: MOUNT_ATTR_NODEV,
  noexec: MOUNT_ATTR_NOEXEC,
  strictatime: MOUNT_ATTR_STRICTATIME,
};

const propagations: Readonly<Record<string, { readonly type: number; readonly recursive: boolean }>> = {
  private: { type: MS_PRIVATE, recursive: false },
  rprivate: { type: MS_PRIVATE, recursive: true },
  slave: { type: MS_SLAVE, recursive: false },
  rslave: { type: MS_SLAVE, recursive: true },
  shared: { type: MS_SHARED, recursive: false },
  rshared: { type: MS_SHARED, recursive: true },
};

/** Options without an effect of their own: the default, or what binding implies. */
const neutral = new Set(["rw", "suid", "dev", "exec", "bind", "rbind"]);

/** Parsed options of one mount. */
export interface MountOptions {
  /** MOUNT_ATTR_* bits. */
  readonly attributes: number;
  readonly propagation: { readonly type: number; readonly recursive: boolean } | undefined;
  /** For fsconfig(2): `[key, value]`, without a value for flags. */
  readonly data: ReadonlyArray<readonly [key: string, value: string | undefined]>;
}

/** Parses options; what is no known flag belongs to the filesystem. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let bits = 0;
  let propagation: MountOptions["propagation"];
  const data: Array<readonly [string, string | undefined]> = [];
  for (const option of options) {
    const [key = "", value] = splitOnce(option);
    if (key in attributes) bits |= attributes[key] as number;
    else if (key in propagations) propagation = propagations[key];
    else if (!neutral.has(key)) data.push([key, value]);
  }
  return { attributes: bits, propagation, data };
}

function splitOnce(option: string): [string, string | undefined] {
  const at = option.indexOf("=");
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}
