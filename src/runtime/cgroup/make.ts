/**
 * The control group of an OCI container: makes it with all its limits before a process can be in it, and changes the
 * limits of one that runs. Either everything that was asked for holds, or there is an error that names the member of
 * `linux.resources`, and no group.
 */

import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import { call, cstr } from "../../linux/call.ts";
import type { Resources } from "../../oci/bundle/config.ts";
import { CgroupError } from "./cgroup_error.ts";
import type { MadeGroup } from "./make_v1.ts";
import { type CgroupPlace, NO_CGROUP } from "./place.ts";

/** Everything beside the place and the limits. */
export interface MakeOptions {
  /** An ordinary user: device rules are left to the user namespace, and a group that cannot be made is no error. */
  readonly rootless: boolean;
  /** The caller wants no group: the device rules that every configuration has are not asked for either [false]. */
  readonly disabled?: boolean;
  /** Of the container: `org.systemd.property.NAME` are properties of its unit. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Who gets the subtree on version 2, as a user of the host: `subtreeOwner()` of delegate.ts [nobody]. */
  readonly owner?: number | undefined;
}

/** A group that is ready to be joined. */
export interface MadeCgroup extends MadeGroup, Disposable {
  /** On version 2: descriptor of the directory for CLONE_INTO_CGROUP of clone3(2), O_PATH, closed on exec. */
  readonly directoryFd: number | undefined;
  /**
   * With systemd there is no group before there is a process for it: makes it with process `pid` in it.
   * @returns the place to write down
   */
  readonly admit: ((pid: number) => Promise<CgroupPlace>) | undefined;
}

/**
 * Makes the group. A kill at any point leaves only what {@link removeCgroup} of `place` removes, save new directories
 * above. The descriptors are closed by its disposal, after the program was started.
 * @throws {CgroupError | SyscallError}
 */
export async function makeCgroup(
  place: CgroupPlace,
  resources: Resources,
  options: MakeOptions,
): Promise<MadeCgroup> {
  if (place.version === 0) {
    refuseAll(resources, options.rootless || options.disabled === true);
    return opened({ place: NO_CGROUP, joinFds: [] });
  }
  const make = await makerOf(place, resources, options);
  if (place.unit === undefined) return opened(make(place, false));
  const { admitToUnit } = await import("./systemd/unit.ts");
  const admit = async (pid: number) => admitToUnit(place, { pid, resources, make, ...options });
  return { place, joinFds: [], directoryFd: undefined, admit, [Symbol.dispose]: () => undefined };
}

/** Makes the directories with everything in them; `adopts` those that systemd has made. */
export type GroupMaker = (place: CgroupPlace, adopts: boolean) => MadeGroup;

/** Decides everything beforehand: from here on only the kernel can refuse. */
async function makerOf(
  { version }: CgroupPlace,
  resources: Resources,
  options: MakeOptions,
): Promise<GroupMaker> {
  if (version === 2) return (await import("./maker_v2.ts")).makerV2(resources, options);
  return (await import("./maker_v1.ts")).makerV1(resources, options);
}

function opened(group: MadeGroup): MadeCgroup {
  const directory = group.place.version === 2 ? group.place.directories[""] : undefined;
  const directoryFd =
    directory === undefined
      ? undefined
      : call("openat", AT_FDCWD, cstr(directory), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const close = () => {
    for (const fd of group.joinFds) call("close", fd);
    if (directoryFd !== undefined) call("close", directoryFd);
  };
  return { ...group, directoryFd, admit: undefined, [Symbol.dispose]: close };
}

/** Where there are no control groups nothing may be asked of them, save device rules where these may be `missed`. */
function refuseAll({ devices, ...limits }: Resources, missed: boolean): void {
  const asked = Object.entries({ ...limits, ...(missed ? {} : { devices }) }).find(
    ([, value]) => value !== undefined && Object.keys(value).length > 0,
  );
  if (asked === undefined) return;
  throw new CgroupError(`Cannot set linux.resources.${asked[0]}: there are no control groups to be had`, {
    hint: "Leave out the limit, or run bunker where it may write to /sys/fs/cgroup",
  });
}
