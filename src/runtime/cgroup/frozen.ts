/** Whether a group is frozen: what every look at a container's state asks, so nothing else is loaded with it. */
import { readSmallText } from "../../linux/small_file.ts";
import type { CgroupPlace } from "./place.ts";

/** What the freezer's file says once `pause` has asked for it: version 1 on its way and there, version 2. */
const FROZEN: readonly string[] = ["FREEZING", "FROZEN", "1"];

/** The file of the group's freezer; undefined where there is none. */
export function freezerFile({ version, directories }: CgroupPlace): string | undefined {
  const directory = directories[version === 2 ? "" : "freezer"];
  if (directory === undefined) return undefined;
  return version === 2 ? `${directory}/cgroup.freeze` : `${directory}/freezer.state`;
}

/** Whether the group is frozen, or about to be. */
export function isFrozen(place: CgroupPlace): boolean {
  const file = freezerFile(place);
  if (file === undefined) return false;
  try {
    return FROZEN.includes((readSmallText(file) ?? "").trim());
  } catch {
    // ENODEV: the group is removed while it is read.
    return false;
  }
}
